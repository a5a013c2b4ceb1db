//! The view knows who calls whom.

use std::time::Duration;

use anyhow::bail;

use super::run::{Run, Verdict};
use crate::patience::eventually;

/// Who calls whom in the shop.
const CALLS: [(&str, &str); 2] = [("gateway", "order"), ("order", "payment")];

/// How long it may take until what has arrived is told.
const LIMIT: Duration = Duration::from_secs(10);

/// gateway → order → payment, in what this run has seen of them: older calls prove nothing.
pub(super) async fn the_chain_is_shown(run: &Run) -> anyhow::Result<Verdict> {
    let view = &run.backends.view;
    let shown = async || {
        let known = view.dependencies(run.elapsed()).await?;
        let calls = CALLS.map(|(parent, child)| {
            known.iter().find(|link| link.parent == parent && link.child == child).map(|link| link.calls)
        });
        Ok(match calls {
            [Some(first), Some(second)] if first > 0 && second > 0 => Some((first, second)),
            _ => None,
        })
    };
    let Some((first, second)) = eventually(LIMIT, shown).await? else {
        let known = view.dependencies(run.elapsed()).await?;
        let known: Vec<_> = known.iter().map(|link| format!("{} → {}", link.parent, link.child)).collect();
        bail!("the view knows [{}]", known.join(", "));
    };
    Verdict::held(format!("gateway → order → payment ({first} and {second} calls)"))
}
