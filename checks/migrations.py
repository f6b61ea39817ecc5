"""Database migrations: each can be deployed while the old code still runs."""

from scorecard.check import Category, Requirement, Risk, Row

row = Row(
    title="Database migrations without downtime",
    category=Category.DEPLOYMENT,
    risk=Risk.HIGH,
    why="A migration that locks a table or drops what the running code reads is an outage that was planned.",
    needs_state=True,
)

row.awaits(
    "no-unplanned-breaking",
    Requirement.REQUIRED,
    rule=(
        "A drop, a rename, a change of type or a NOT NULL comes only as the last step of an expand-contract sequence, "
        "or inside a declared maintenance window."
    ),
    remedy="""
    Spread the change over three deployments: expand, move, contract.

    ```sql
    -- 1, deployed with code that writes both columns
    ALTER TABLE payments ADD COLUMN amount_cents bigint;
    -- 2, in batches
    UPDATE payments SET amount_cents = amount * 100 WHERE id BETWEEN 1 AND 10000;
    -- 3, after no code reads it
    ALTER TABLE payments DROP COLUMN amount;
    ```

    Or declare the window in the service file:

    ```yaml
    spec:
      migrations: {paths: [migrations/], dialect: postgres, maintenance_windows: [migrations/0042_drop_amount.sql]}
    ```
    """,
    awaits="the migration reader",
)

row.awaits(
    "lock-safe",
    Requirement.ADVISORY,
    rule="No migration holds a lock for long, and each sets a lock timeout and a statement timeout.",
    remedy="""
    ```sql
    SET lock_timeout = '2s';
    SET statement_timeout = '5min';
    CREATE INDEX CONCURRENTLY payments_created_at ON payments (created_at);
    ALTER TABLE payments ADD CONSTRAINT amount_positive CHECK (amount > 0) NOT VALID;
    ALTER TABLE payments VALIDATE CONSTRAINT amount_positive;
    ```

    On PostgreSQL an index without `CONCURRENTLY` blocks every write until it is built.
    """,
    awaits="the migration reader",
)

row.awaits(
    "reversible",
    Requirement.ADVISORY,
    rule="Each migration has a down migration or a note on how to go forward.",
    remedy="""
    Add `migrations/0042_add_amount_cents.down.sql`:

    ```sql
    ALTER TABLE payments DROP COLUMN amount_cents;
    ```

    or, where there is no way back, the first line `-- forward-fix: restore the column from payments_archive`.
    """,
    awaits="the migration reader",
)
