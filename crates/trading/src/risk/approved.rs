//! The seal of the risk gate.

/// Something that the risk gate has let pass. Venues take nothing else.
///
/// Only the module `risk` makes one, and it cannot be copied, cloned or read from a file: one approval is one order.
///
/// ```
/// use trading::{OrderIntent, risk::RiskApproved};
/// fn send(order: RiskApproved<OrderIntent>) -> OrderIntent {
///     order.into_inner()
/// }
/// fn gated(
///     gate: &mut trading::risk::RiskGate,
///     intent: OrderIntent,
///     view: &trading::risk::RiskView<'_>,
/// ) -> Result<OrderIntent, trading::risk::RiskRefusal> {
///     Ok(send(gate.approve(intent, view)?))
/// }
/// ```
///
/// What is not approved cannot be sent:
///
/// ```compile_fail,E0308
/// use trading::{OrderIntent, risk::RiskApproved};
/// fn send(order: RiskApproved<OrderIntent>) -> OrderIntent {
///     order.into_inner()
/// }
/// fn ungated(intent: OrderIntent) -> OrderIntent {
///     send(intent)
/// }
/// ```
///
/// Nobody else can write the seal:
///
/// ```compile_fail,E0451
/// use trading::{OrderIntent, risk::RiskApproved};
/// fn forged(intent: OrderIntent) -> RiskApproved<OrderIntent> {
///     RiskApproved { intent }
/// }
/// ```
///
/// ```compile_fail,E0624
/// use trading::{OrderIntent, risk::RiskApproved};
/// fn forged(intent: OrderIntent) -> RiskApproved<OrderIntent> {
///     RiskApproved::new(intent)
/// }
/// ```
///
/// Nor send the same approval twice:
///
/// ```compile_fail,E0382
/// use trading::{OrderIntent, risk::RiskApproved};
/// fn twice(order: RiskApproved<OrderIntent>) -> [OrderIntent; 2] {
///     [order.into_inner(), order.into_inner()]
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an approved order that is not sent still counts in the window of orders"]
pub struct RiskApproved<T> {
    intent: T,
}

impl<T> RiskApproved<T> {
    pub(in crate::risk) const fn new(intent: T) -> Self {
        Self { intent }
    }

    /// What was approved; its quantity may be smaller than what was asked for.
    #[inline]
    pub const fn intent(&self) -> &T {
        &self.intent
    }

    /// Breaks the seal, to send it.
    #[inline]
    #[must_use]
    pub fn into_inner(self) -> T {
        self.intent
    }
}
