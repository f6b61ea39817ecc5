"""The revision that runs now: images of ECS tasks, code of Lambda functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from scorecard.evidence import Unavailable
from scorecard.evidence.releases import RunningRevision, RunningRevisions
from scorecard.model import Cause
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.placement import (
    FUNCTIONS,
    SERVICES,
    TASK_ARNS,
    TASKS,
    cluster_of,
    ecs_services,
    functions,
)
from scorecard.probes.aws.question import Question, Read, Reader


def _tasks(lane: Lane, arns: Sequence[Arn]) -> Read:
    services = ecs_services(lane, arns)
    running: dict[tuple[str, str], list[Item]] = defaultdict(list)
    missing: dict[str, Unavailable | None] = {}
    for cluster, swept in lane.one(TASK_ARNS, {cluster_of(arn) for arn in arns}).items():
        seen = lane.of(TASKS, (str(one[""]) for one in swept.items), cluster=cluster)
        missing[cluster] = swept.missing or seen.missing
        for task in seen.items:
            if task.get("lastStatus") == "RUNNING":
                running[cluster, str(task.get("group", ""))].append(task)
    found: dict[str, Sequence[RunningRevision] | Unavailable] = {}
    for arn in arns:
        service = services.get(arn.text)
        if service is None:
            continue
        why = service if isinstance(service, Unavailable) else missing[cluster_of(arn)]
        tasks = running[cluster_of(arn), f"service:{arn.last}"]
        if why is None and not tasks:
            words = f"{lane.label}, {TASKS.name}: no task of {arn.text} runs now"
            why = Unavailable(Cause.NO_DATA, words)
        found[arn.text] = why or _of_tasks(arn, tasks)
    return found


def _of_tasks(arn: Arn, tasks: Sequence[Item]) -> Sequence[RunningRevision]:
    images: dict[str, Counter[str]] = defaultdict(Counter)
    definitions: dict[str, set[str]] = defaultdict(set)
    for task in tasks:
        for container in task.get("containers", ()):
            name = str(container.get("name", ""))
            images[name][pinned(container)] += 1
            definitions[name].add(str(task.get("taskDefinitionArn", "")).rpartition("/")[2])
    return tuple(
        RunningRevision(
            name=f"{arn.text} {name}",
            kind="ECS container",
            revisions=tuple(f"{image}, {many} tasks" for image, many in sorted(counted.items())),
            tags=tuple(sorted({tag for image in counted if (tag := tag_of(image))})),
            definition=" and ".join(sorted(definitions[name])),
        )
        for name, counted in sorted(images.items())
    )


def pinned(container: Mapping[str, object]) -> str:
    """The image with its digest, which says which one `payments:latest` is."""
    image, digest = str(container.get("image") or "an image without a name"), str(container.get("imageDigest") or "")
    return image if not digest or "@" in image else f"{image}@{digest}"


def tag_of(image: str) -> str:
    """The tag of an image, which may be a commit; empty where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def _functions(lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[RunningRevision] | Unavailable] = {}
    for name, one in functions(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        package = "image" if one.get("PackageType") == "Image" else "zip"
        digest, changed = one.get("CodeSha256", "not said"), one.get("LastModified", "at no known time")
        revision, definition = f"{package} sha256 {digest}, changed {changed}", str(one.get("Version", "$LATEST"))
        found[name] = (
            RunningRevision(name=name, kind="Lambda function", revisions=(revision,), definition=definition),
        )
    return found


RUNNING_REVISIONS = Question(
    "running-revisions",
    RunningRevisions,
    (
        Reader(("ecs:service",), _tasks, (SERVICES, TASK_ARNS, TASKS)),
        Reader(("lambda:function",), _functions, (FUNCTIONS,)),
    ),
    "ECS services or Lambda functions",
)
