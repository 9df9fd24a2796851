/**
 * What is fetched, for the store: pages of one conversation, of all, and of what is missed. Pure.
 * @module
 */

/** @typedef {import('./protocol.js').StoredMessage} StoredMessage */
/** @typedef {import('./conversation.js').Message} Message */
/** @typedef {import('./store.js').Store} Store */

/**
 * The direct messages that are missed by the service's word, the first page of them replaces what was known up to
 * `lastId`. Gives those that were shown here already: the service has not heard of it.
 * @param {Store} store
 * @param {readonly StoredMessage[]} rows
 * @param {number} [lastId]
 * @returns {Map<string, number>} the largest id by conversation
 */
export function missed(store, rows, lastId = 0) {
  const shown = new Map();
  for (const conversation of store.all.values()) conversation.forgetUnseen(lastId);
  for (const row of rows) {
    const conversation = store.begin(`@${row.from}`);
    store.put(conversation, row);
    if (!conversation.miss(row.id)) shown.set(conversation.target, row.id);
    store.tell({ kind: 'messages', target: conversation.target });
  }
  store.tell({ kind: 'list' });
  return shown;
}

/**
 * A page of all conversations: with it, all from the cursor to the id `last` is loaded.
 * @param {Store} store
 * @param {readonly StoredMessage[]} rows
 * @param {number} last
 */
export function since(store, rows, last) {
  /** @type {Map<string, { fresh: Message[], isBetween: boolean }>} */
  const came = new Map();
  for (const row of rows) {
    const conversation = store.known(store.targetOf(row));
    if (!conversation) continue;
    const entry = came.get(conversation.target) ?? { fresh: [], isBetween: false };
    came.set(conversation.target, entry);
    const place = store.put(conversation, row);
    if (place === 'last') entry.fresh.push(conversation.messages[conversation.messages.length - 1]);
    entry.isBetween ||= place === 'between';
  }
  for (const conversation of store.all.values()) {
    conversation.spans.add(store.cursor + 1, last);
    conversation.recount();
  }
  store.base.add(store.cursor + 1, last);
  store.cursor = Math.max(store.cursor, last);
  for (const [target, { fresh, isBetween }] of came) {
    if (store.trim(store.begin(target)) || isBetween) store.tell({ kind: 'messages', target });
    else if (fresh.length) store.tell({ kind: 'append', target, messages: fresh, live: false });
  }
  if (came.size) store.tell({ kind: 'list' });
}

/**
 * So much was deleted that nothing up to the id `last` can be trusted any more.
 * @param {Store} store
 * @param {number} last
 */
export function forgetMessages(store, last) {
  store.base.cut(0, last);
  for (const conversation of store.all.values()) {
    conversation.clear(last);
    store.tell({ kind: 'messages', target: conversation.target });
  }
}

/**
 * A page of one conversation. Gives how many of its messages are new.
 * @param {Store} store
 * @param {string} target
 * @param {{ before?: number, after?: number }} asked
 * @param {{ messages: readonly StoredMessage[], more: boolean }} page oldest first
 */
export function page(store, target, asked, page) {
  if (target[0] === '#' && !store.get(target)) return 0; // lost meanwhile
  const conversation = store.begin(target);
  const { messages, more } = page;
  const before = conversation.messages.length;
  for (const row of messages) store.put(conversation, row);
  const fresh = conversation.messages.length - before;
  let [first, last] = [1, (asked.before ?? Infinity) - 1];
  if (asked.after !== undefined) {
    first = conversation.find(asked.after) ? asked.after : asked.after + 1;
    if (more && messages.length) last = messages[messages.length - 1].id;
  } else if (more && messages.length) first = messages[0].id;
  if (messages.length || !more) conversation.spans.add(first, last);
  conversation.recount();
  const edge = asked.after === undefined ? messages[0] : messages[messages.length - 1];
  if (edge) conversation.trim(asked.before || asked.after ? edge.id : Infinity); // who asks for it, looks at it
  store.tell({ kind: 'messages', target });
  store.tell({ kind: 'list' });
  return fresh;
}
