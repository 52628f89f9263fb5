"""`plan` and `draw`: listening plans from files, and their seeded draws."""

from pathlib import Path

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext, uncapitalise
from qa_core.cli.files import read_toml
from qa_core.cli.output import Output
from qa_core.cli.registry import ROOT, argument, flag, option

PLAN = ROOT.add_group("plan", "Listening plans: evaluators, numbers, purpose.")


@PLAN.command("add")
def add_plan(file: Path = argument("FILE.toml")) -> Output:
    """Add a plan from a file (docs/contract.md, section 7)."""
    from qa_core.quality import sampling

    content = read_toml(file, "bad_plan")
    sampling.add_plan(Viewer.SYSTEM, content)
    [plan] = [
        plan
        for plan in sampling.find_plans(Viewer.SYSTEM)
        if plan.name == str(content["name"]).strip()
    ]
    yield plan.as_json()
    yield _(
        "The plan {name} is added. Draw from it with: python -m qa_core draw --plan {name} "
        "--seed N",
        name=plan.name,
    )


@PLAN.command("list")
def list_plans() -> Output:
    """List every plan with its progress."""
    from qa_core.quality import sampling

    plans = sampling.find_plans(Viewer.SYSTEM)
    yield [plan.as_json() for plan in plans]
    closed = _("closed")
    for plan in plans:
        yield _(
            "{name}: {purpose}, {first} – {last}, {n} per advisor; drawn {drawn}, done "
            "{done}, overdue {overdue}, missing {short}",
            name=f"{plan.name} ({closed})" if plan.is_closed else plan.name,
            purpose=plan.purpose,
            first=plan.starts_on.isoformat(),
            last=plan.ends_on.isoformat(),
            n=plan.per_advisor,
            drawn=plan.drawn,
            done=plan.done,
            overdue=plan.overdue,
            short=plan.short,
        )
    if not plans:
        yield _("There are no listening plans. Add one with: python -m qa_core plan add FILE.toml")


PLAN.act(
    "close",
    "quality.sampling:close",
    "Close a plan to further draws; what was drawn stays with its evaluators.",
)


@ROOT.command("draw")
def draw(
    plan: str = option("The plan to draw for.", "NAME", default=...),
    seed: int = option("The same plan, seed and contacts give the same list.", "N", default=...),
    dry_run: bool = flag("Show what would be drawn; write nothing but a row of the audit log."),
) -> Output:
    """Draw the contacts that a plan still lacks, and assign them to its evaluators."""
    from qa_core.metrics.law.sampling_frame import REASONS
    from qa_core.quality import sampling

    result = sampling.draw(Viewer.SYSTEM, plan, seed, dry_run)
    yield result.as_json()
    drawn, short = len(result.drawn), sum(result.short.values())
    yield ngettext(
        "{n} contact drawn from {frame}.",
        "{n} contacts drawn from {frame}.",
        drawn,
        frame=result.frame,
    )
    for reason, count in result.excluded.items():
        yield f"    {count:>9}  {uncapitalise(_(REASONS[reason]))}"
    if short:
        yield ngettext("{n} is missing:", "{n} are missing:", short)
        for advisor, missing in result.short.items():
            yield f"    {missing:>9}  {result.name_of(advisor)}"
