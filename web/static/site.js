// What a page can do besides: every page is complete without it.

/** @param {string} text */
const announce = (text) => {
  const list = document.getElementById("list") ?? document.getElementById("main");
  let note = document.getElementById("swap-error");
  if (!note) {
    note = document.createElement("p");
    note.id = "swap-error";
    note.className = "banner b-stale";
    note.setAttribute("role", "alert");
    list?.before(note);
  }
  note.textContent = text;
};

// "/" goes to the search from anywhere but a field.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = document.activeElement;
  if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return;
  const field = document.getElementById("search");
  if (field instanceof HTMLInputElement) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});

// A link to a row that is folded away opens what it is folded in.
const reveal = () => {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id ? document.getElementById(id) : null;
  for (let parent = target?.parentElement; parent; parent = parent.parentElement) {
    if (parent instanceof HTMLDetailsElement) parent.open = true;
  }
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
};
addEventListener("hashchange", reveal);
if (location.hash) reveal();

// On paper everything that is folded is shown.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

// Commands and queries can be copied.
const addCopyButtons = (/** @type {ParentNode} */ root) => {
  if (!navigator.clipboard) return;
  for (const block of root.querySelectorAll("pre[data-copy]")) {
    if (block.parentElement?.classList.contains("copying")) continue;
    const frame = document.createElement("div");
    frame.className = "copying";
    block.replaceWith(frame);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.textContent ?? "");
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    frame.append(block, button);
  }
};
addCopyButtons(document);

/**
 * Fetch a page of ours and put one part of it in place of the part that is shown. The old part stays until the new one
 * is there, and stays for good when it does not come.
 * @param {string} url
 * @param {string} id
 */
const swap = async (url, id) => {
  const old = document.getElementById(id);
  if (!old) return false;
  old.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(id);
    if (!fresh) throw new Error(`HTTP ${answer.status}`);
    addCopyButtons(fresh);
    old.replaceWith(fresh);
    document.getElementById("swap-error")?.remove();
    return true;
  } catch (error) {
    old.removeAttribute("aria-busy");
    const why = error instanceof Error ? error.message : String(error);
    announce(`The server did not answer (${why}). What you see is the last answer.`);
    return false;
  }
};

// Filters of a list: the list alone is exchanged, and the address follows, so that a view can still be shared.
for (const form of document.querySelectorAll("form[data-swap]")) {
  if (!(form instanceof HTMLFormElement)) continue;
  let shown = location.search;
  // Going back shows that view as it is now. A mere change of the fragment comes here too, and changes nothing.
  addEventListener("popstate", () => { if (location.search !== shown) location.reload(); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && value.trim()) query.append(name, value.trim());
    }
    const url = query.size ? `${form.action}?${query}` : form.action;
    if (await swap(url, form.dataset.swap ?? "")) {
      history.pushState(null, "", url);
      shown = location.search;
    }
  });
}

// A run that is under way is looked at again until it has ended.
const poll = () => {
  const part = document.querySelector("[data-poll]");
  if (!(part instanceof HTMLElement)) return;
  setTimeout(async () => {
    await swap(location.href, part.id);
    poll();
  }, 1000 * Number(part.dataset.poll));
};
poll();
