//! Why parents cannot be announced.

/// Why the parents of a row cannot be announced, in [`Error::Parent`](crate::Error::Parent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParentFault {
    /// [`touch_parents`](crate::hooks::touch_parents) was called outside a transaction.
    #[error("parents can only be touched in a transaction: begin one, or use `insert_tx` and the like")]
    TouchOutsideTransaction,
    /// A child was saved or deleted outside a transaction.
    #[error(
        "this entity announces its parents, which it can only do in a transaction: begin one, or use `insert_tx` and \
         the like"
    )]
    WriteOutsideTransaction,
    /// The relation does not lead from the child to the parent's key.
    #[error("the relation does not lead from the child to the parent's key")]
    Relation,
    /// The foreign key's value has another type than the parent's key.
    #[error("the foreign key's value cannot be a key of the parent")]
    ForeignKey,
}
