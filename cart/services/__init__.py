"""What can be done to carts: one function a use case."""

from cart.auditing import repair as repair_record
from cart.services.answering import answer_merge
from cart.services.changing import (
    add_line,
    change_lines,
    empty_cart,
    move_to_cart,
    remove_line,
    remove_saved,
    save_line,
    set_quantity,
    set_saved_quantity,
)
from cart.services.codes import apply_code, remove_code
from cart.services.forgetting import forget_customer
from cart.services.merging import finish_merge, merge_guest_cart, merge_items
from cart.services.ordering import clear_ordered, convert_record, lock_for_payment, unlock
from cart.services.pruning import prune_history, prune_records
from cart.services.regions import choose_region
from cart.services.retrying import retry_dead_letter
from cart.services.taking_back import acknowledge, undo

__all__ = [
    "acknowledge",
    "add_line",
    "answer_merge",
    "apply_code",
    "change_lines",
    "choose_region",
    "clear_ordered",
    "convert_record",
    "empty_cart",
    "finish_merge",
    "forget_customer",
    "lock_for_payment",
    "merge_guest_cart",
    "merge_items",
    "move_to_cart",
    "prune_history",
    "prune_records",
    "remove_code",
    "remove_line",
    "remove_saved",
    "repair_record",
    "retry_dead_letter",
    "save_line",
    "set_quantity",
    "set_saved_quantity",
    "undo",
    "unlock",
]
