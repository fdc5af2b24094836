const shownItems = new WeakMap();

/**
 * Makes the children of `parent` those of `items`, in their order. An item that stays keeps its element, and so its focus.
 * `create` returns an object with the element as `node`; `update` gets it and the item.
 */
function each(parent, items, keyOf, create, update) {
  const former = shownItems.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const view = former.get(key) ?? create(item);
    former.delete(key);
    now.set(key, view);
    update(view, item);
  }
  for (const view of former.values()) view.node.remove();
  let place = parent.firstElementChild;
  for (const view of now.values()) {
    if (view.node === place) place = place.nextElementSibling;
    else parent.insertBefore(view.node, place);
  }
  shownItems.set(parent, now);
}
