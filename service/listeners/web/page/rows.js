/**
 * Draws the rows of a talk: messages, days, the unread divider, gaps, what happened. Reads the store, asks for nothing.
 */
import { h } from './dom.js';
import { brief, clock, day, dayOf, initial, whole } from './format.js';
import { labels } from './labels.js';
import { colour, oneLine, pieces } from './text.js';

/** @typedef {import("./conversation.js").Conversation} Conversation @typedef {import("./store.js").Message} Message */
/** @typedef {import("./outbox.js").Pending} Pending @typedef {import("./list.js").Row} Row */
/** @typedef {{ after: number, count: number }} Divider  it stands before the first message behind this id; count 0: none */

const TOGETHER = 5 * 60_000; // ms between messages that stand under one name
const LONG = 1500; // characters of a message, and its lines, from where on only its beginning is shown at first
const LONG_LINES = 24;
/** @type {WeakMap<object, number>} a number for each object: what is replaced is drawn anew */
const numbers = new WeakMap();
let newest = 0;

/** @param {object} thing */
function numberOf(thing) {
  let number = numbers.get(thing);
  if (!number) {
    numbers.set(thing, number = ++newest);
  }
  return number;
}

/** How a conversation is called. @param {Conversation} conversation @param {string} mainRoom */
export function titleOf({ kind, name }, mainRoom) {
  return kind === 'talk' ? oneLine(name) : `#${oneLine(kind === 'main' ? mainRoom : name)}`;
}

/** @param {string} text @param {string} me @returns {Node[]} */
export function drawText(text, me) {
  return pieces(text, me).map((piece) => {
    switch (piece.type) {
      case 'link':
        return h('a', { href: piece.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, piece.text);
      case 'code':
        return h('code', {}, piece.text);
      case 'block':
        return h('pre', { tabindex: '0' }, h('code', {}, piece.text));
      case 'mention':
        return h('b', { class: 'you' }, piece.text);
      default:
        return document.createTextNode(piece.text);
    }
  });
}

/** The entries of a conversation: its messages, then what waits to be sent. */
export class Entries {
  /** @param {import("./store.js").Store} store @param {Conversation} conversation */
  constructor(store, conversation) {
    this.store = store;
    this.conversation = conversation;
    /** @type {Divider} */
    this.divider = { after: 0, count: 0 };
    this.found = 0; // id of the message that was looked for
    this.isOnline = true;
    this.isJoined = true; // what came while one was away is there: what is missing now is a gap
    /** @type {Set<string>} keys of the long messages of which all is shown */
    this.whole = new Set();
    this.ways = () => /** @type {HTMLElement[]} */ ([]); // what to do in a conversation that is empty
  }

  count() {
    return this.conversation.messages.length + this.conversation.pending.length;
  }

  /** @param {number} index */
  keyAt(index) {
    const { messages, pending } = this.conversation;
    return index < messages.length ? `m${messages[index].id}` : `p${pending[index - messages.length].nonce}`;
  }

  /** The index of an entry, of the next one where it is not there; -1 if there is none. @param {string} key */
  find(key) {
    const { messages, pending } = this.conversation;
    if (key.startsWith('p')) {
      const at = pending.findIndex(({ nonce }) => key === `p${nonce}`);
      return at < 0 ? -1 : messages.length + at;
    }
    const id = Number(key.slice(1));
    let [low, high] = [0, messages.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      messages[middle].id < id ? (low = middle + 1) : (high = middle);
    }
    return low < messages.length ? low : -1;
  }

  /** @param {number} start @param {number} end @returns {Row[]} */
  rows(start, end) {
    const { messages, pending } = this.conversation;
    /** @type {Row[]} */
    const rows = [];
    const notes = this.notes();
    if (start === 0 && !this.conversation.isGap(0) && !this.conversation.isInvited) {
      rows.push(this.start(), ...(notes.get(0) ?? []));
    }
    const lastOwn = messages.findLast(({ own }) => own)?.id ?? 0;
    let isDivided = start > 0 && messages[start - 1]?.id > this.divider.after;
    for (let index = start; index < Math.min(end, messages.length); index++) {
      const message = messages[index];
      const before = messages[index - 1];
      const length = rows.length;
      if (index > 0 && this.isJoined && this.conversation.isGap(index)) {
        rows.push(gap(message));
      }
      if (!before || dayOf(before.time) !== dayOf(message.time)) {
        rows.push(dayRow(message));
      }
      if (this.divider.count && !isDivided && message.id > this.divider.after && !message.own) {
        isDivided = true;
        rows.push(this.dividerRow());
      }
      const isFirst = rows.length > length || !before || notes.has(before.id) || !isTogether(before, message);
      const next = messages[index + 1];
      // Delivered is said of the last one only; what is stored, once for a run of own messages.
      const isTold = message.status === 'delivered' ? message.id === lastOwn : next?.status !== message.status;
      rows.push(this.message(message, isFirst, Boolean(message.status) && isTold));
      rows.push(...(notes.get(message.id) ?? []));
    }
    for (let index = Math.max(start, messages.length); index < end; index++) {
      const at = index - messages.length;
      const before = pending[at - 1] ?? messages.at(-1);
      rows.push(this.waiting(pending[at], !before || !isTogether(before, { ...pending[at], from: this.store.me })));
    }
    return rows;
  }

  /** What happened, as rows by the message that it came after. @returns {Map<number, Row[]>} */
  notes() {
    const map = new Map();
    for (const { key, after, text, time } of this.conversation.notes) {
      const row = {
        key: `n${key}`,
        sign: text,
        make: () => h('li', { class: 'event', title: time ? whole(time) : undefined }, text), // not all have a time
      };
      map.set(after, [...(map.get(after) ?? []), row]);
    }
    return map;
  }

  /** @returns {Row} */
  start() {
    const { conversation, store } = this;
    const title = titleOf(conversation, store.mainRoom);
    const isEmpty = !conversation.messages.length && !conversation.pending.length;
    const topic = oneLine(conversation.topic);
    return {
      key: 'start',
      sign: `${title} ${isEmpty} ${topic}`,
      make: () =>
        h(
          'li',
          { class: 'start' },
          h('h3', {}, labels.start(conversation.kind === 'talk' ? `your talk with ${title}` : title)),
          topic && h('p', {}, topic),
          conversation.kind === 'talk' && h('p', {}, labels.startTalk(title)),
          isEmpty && conversation.kind !== 'talk' && h('p', {}, labels.empty),
          isEmpty && h('div', { class: 'ways' }, ...this.ways()),
        ),
    };
  }

  /** @returns {Row} */
  dividerRow() {
    const text = labels.unread(this.divider.count);
    return {
      key: 'divider',
      sign: text,
      make: () => h('li', { class: 'divider', id: 'divider' }, h('span', {}, text)),
    };
  }

  /** @param {Message} message @param {boolean} isFirst @param {boolean} isTold what became of it @returns {Row} */
  message(message, isFirst, isTold) {
    const isCalling = message.mentions && this.conversation.kind !== 'talk';
    return {
      key: `m${message.id}`,
      sign: `${numberOf(message)} ${isFirst} ${isTold} ${this.found === message.id} ${
        this.whole.has(`m${message.id}`)
      }`,
      make: () => {
        const row = this.row(message, isFirst);
        !this.whole.has(`m${message.id}`) && shorten(row, message.text);
        row.dataset.id = String(message.id);
        row.classList.toggle('calls', isCalling && !message.own);
        row.classList.toggle('found', this.found === message.id);
        const state = isTold &&
          (message.status === 'stored' ? labels.stored(oneLine(this.conversation.name)) : labels.delivered);
        state && row.querySelector('.body')?.after(h('div', { class: 'state' }, state));
        return row;
      },
    };
  }

  /** @param {Pending} pending @param {boolean} isFirst @returns {Row} */
  waiting(pending, isFirst) {
    const failed = pending.state === 'failed';
    return {
      key: `p${pending.nonce}`,
      sign: `${numberOf(pending)} ${isFirst} ${this.isOnline} ${pending.state} ${pending.error}`,
      make: () => {
        const row = this.row({ ...pending, from: this.store.me, deleted: '', own: true }, isFirst);
        row.dataset.nonce = pending.nonce;
        row.classList.add(failed ? 'failed' : 'waits');
        const body = /** @type {HTMLElement} */ (row.querySelector('.body'));
        if (failed) {
          body.after(
            h(
              'div',
              { class: 'state fail' },
              pending.error,
              h('button', { type: 'button', class: 'link', 'data-deed': 'again' }, labels.sendAgain),
              h('button', { type: 'button', class: 'link', 'data-deed': 'discard' }, labels.discard),
            ),
          );
        } else {
          body.append(h('span', { class: 'state late' }, this.isOnline ? labels.sending : labels.later));
        }
        return row;
      },
    };
  }

  /** @param {{ time: string, from: string, text: string, kind: string, deleted: string, own: boolean }} message @param {boolean} isFirst */
  row({ time, from, text, kind, deleted, own }, isFirst) {
    const name = oneLine(from);
    const isAction = kind === 'action' && !deleted;
    const hasHead = isFirst && !isAction;
    const moment = h('time', { datetime: time, title: whole(time) }, (hasHead ? clock : brief)(time));
    const shade = `k${colour(from)}`;
    const named = h('span', { class: `name ${shade}`, 'data-name': from, dir: 'auto' }, name);
    const body = h('div', { class: `body${isAction ? ' action' : ''}${deleted ? ' gone' : ''}`, dir: 'auto' });
    body.append(
      ...(isAction ? ['* ', named, ' '] : []),
      ...(deleted ? [labels.deleted] : drawText(text, this.store.me)),
    );
    if (!hasHead) {
      const isLoud = isAction && isFirst;
      return h(
        'li',
        { class: `message${isLoud ? ' first lone' : ''}`, tabindex: '-1' },
        moment,
        !isAction && h('span', { class: 'unseen' }, `${name}:`),
        body,
      );
    }
    return h(
      'li',
      { class: `message first${own ? ' own' : ''}`, tabindex: '-1' },
      h('span', { class: `avatar ${shade}`, 'aria-hidden': 'true', 'data-name': from }, initial(name)),
      h('div', { class: 'line' }, named, kind === 'notice' && h('span', { class: 'rank' }, labels.notice), moment),
      body,
    );
  }
}

/** @param {Message | Pending & { from?: string }} before @param {{ time: string, from: string, kind: string }} message */
function isTogether(before, message) {
  return (
    (before.from ?? message.from) === message.from &&
    before.kind !== 'action' &&
    before.kind === message.kind &&
    Date.parse(message.time) - Date.parse(before.time) < TOGETHER
  );
}

/** @param {HTMLElement} row @param {string} text */
function shorten(row, text) {
  if (text.length > LONG || text.split('\n', LONG_LINES + 1).length > LONG_LINES) {
    const body = /** @type {HTMLElement} */ (row.querySelector('.body'));
    body.classList.add('long');
    body.after(h('button', { type: 'button', class: 'link', 'data-deed': 'all' }, labels.showAll));
  }
}

/** @param {Message} message @returns {Row} */
function dayRow({ id, time }) {
  const text = day(time);
  return { key: `d${id}`, sign: text, make: () => h('li', { class: 'day' }, h('span', {}, text)) };
}

/** @param {Message} message the first one behind it @returns {Row} */
function gap({ id }) {
  const load = () => h('button', { type: 'button', class: 'link', 'data-deed': 'gap' }, labels.load);
  return {
    key: `g${id}`,
    sign: '',
    make: () => h('li', { class: 'day gap', 'data-id': id }, h('span', {}, `${labels.gap} `, load())),
  };
}
