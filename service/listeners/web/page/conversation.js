/**
 * One conversation: the messages that are loaded, where history is missing between them, and what is unread.
 *
 * Pure: it asks nobody, and knows neither DOM nor clock.
 * @module
 */

/** @typedef {import('./spans.js').Spans} Spans */
/** @typedef {import('./protocol.js').StoredMessage} StoredMessage */
/** @typedef {import('./protocol.js').RoomInfo} RoomInfo */
/** @typedef {import('./protocol.js').MemberInfo} MemberInfo */
/**
 * A message on show. It is replaced where something of it changes. `deleted` and `status` are empty where they do not
 * apply; `mentions`: by somebody else, and the user's name is in it.
 * @typedef {{
 *   readonly id: number, readonly time: string, readonly from: string, readonly to?: string, readonly text: string,
 *   readonly kind: string, readonly deleted: string, readonly own: boolean, readonly mentions: boolean,
 *   readonly status: string
 * }} Message
 */
/** What happened in a room, as a quiet line behind the message with the id `after`, or at the beginning (0); `key` is its own.
 * @typedef {{ readonly key: number, readonly after: number, readonly time: string, readonly text: string }} Note
 */
/** @typedef {import('./outbox.js').Pending} Pending */

export const MAIN = '#';
export const KEPT = 2000; // messages of a conversation: an hour's storm, some megabytes; further ones are fetched again
const SURPLUS = 200; // messages beyond, before some are thrown away: not one for each that comes
const MOST_NOTES = 200;

export class Conversation {
  /**
   * @param {string} target
   * @param {Spans} spans what is loaded of it from the beginning
   */
  constructor(target, spans) {
    this.target = target;
    this.kind = target === MAIN ? 'main' : target[0] === '#' ? 'room' : 'talk';
    this.name = target.slice(1);
    this.created = '';
    this.topic = '';
    this.role = '';
    this.isPrivate = false;
    this.isInvited = false;
    this.isLost = false;
    this.isGone = false; // the room is no more: nobody can join it
    this.memberCount = 0;
    /** @type {{ until: string } | null} */
    this.muted = null;
    /** @type {Message[]} */
    this.messages = [];
    /** @type {Note[]} */
    this.notes = [];
    /** @type {Pending[]} */
    this.pending = [];
    /** @type {{ rows: MemberInfo[], more: boolean } | null} */
    this.members = null;
    this.spans = spans;
    /** @private */
    this.marker = 0; // of a room
    /** @private */
    this.count = 0; // unread ones in a room
    /** @private */
    this.countedTo = 0; // up to this id the service has counted
    /** @private @type {Set<number>} */
    this.unseen = new Set(); // ids of direct messages that are unread
    /** @private @type {Set<number>} */
    this.calls = new Set(); // ids of unread ones with the user's name
    /** @private */
    this.noteKey = 0;
  }

  get isTalk() {
    return this.kind === 'talk';
  }

  get unread() {
    return this.isTalk ? this.unseen.size : this.count;
  }

  get mentions() {
    return this.isTalk ? this.unseen.size : this.calls.size;
  }

  /** The id behind which unread ones begin. */
  get readId() {
    if (!this.isTalk) return this.marker;
    return this.unseen.size ? Math.min(...this.unseen) - 1 : this.newestId;
  }

  get newestId() {
    return this.messages.at(-1)?.id ?? 0;
  }

  get hasNewest() {
    const last = this.spans.all.at(-1);
    return last?.[1] === Infinity && (!this.messages.length || last[0] <= this.newestId);
  }

  /**
   * Whether history is missing before this message; behind the last one if the index is their number.
   * @param {number} index
   */
  isGap(index) {
    if (index === 0) return !this.spans.has(1, this.messages[0]?.id ?? Infinity);
    if (index >= this.messages.length) return !this.hasNewest;
    return !this.spans.has(this.messages[index - 1].id, this.messages[index].id);
  }

  /**
   * The place of an id among the messages, or where it would be.
   * @param {number} id
   */
  indexOf(id) {
    let low = 0;
    let high = this.messages.length;
    if (high && this.messages[high - 1].id < id) return high; // what comes live is the newest
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.messages[middle].id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {number} id */
  find(id) {
    const message = this.messages[this.indexOf(id)];
    return message?.id === id ? message : undefined;
  }

  /**
   * Takes a message in. Whether it is new, and whether it is the last one.
   * @param {Message} message
   * @returns {'' | 'last' | 'between'}
   */
  insert(message) {
    const index = this.indexOf(message.id);
    if (this.messages[index]?.id === message.id) {
      if (message.deleted && !this.messages[index].deleted) this.erase(message.id, message.deleted);
      return '';
    }
    this.messages.splice(index, 0, message);
    return index === this.messages.length - 1 ? 'last' : 'between';
  }

  /**
   * Changes a message. Whether it is loaded.
   * @param {number} id
   * @param {Partial<Message>} changes
   */
  change(id, changes) {
    const index = this.indexOf(id);
    if (this.messages[index]?.id !== id) return false;
    this.messages[index] = { ...this.messages[index], ...changes };
    return true;
  }

  /**
   * The text of a message is gone.
   * @param {number} id
   * @param {string} time
   */
  erase(id, time) {
    this.unseen.delete(id);
    this.calls.delete(id);
    return this.change(id, { text: '', kind: '', mentions: false, deleted: time });
  }

  /**
   * Throws messages away that lie far from the one with the id `near`, if there are too many. Whether it did.
   * @param {number} near
   */
  trim(near) {
    const surplus = this.messages.length - KEPT;
    if (surplus < SURPLUS) return false;
    const above = this.indexOf(near);
    const below = this.messages.length - above;
    const gone = below > above ? this.messages.splice(KEPT) : this.messages.splice(0, surplus);
    const last = gone[gone.length - 1].id;
    this.spans.cut(gone[0].id, last);
    this.countedTo = Math.max(this.countedTo, last); // they stay counted where they come again
    const first = this.messages[0].id;
    this.notes = this.notes.filter((note) => note.after >= first);
    return true;
  }

  /**
   * Somebody has another name. Whether a message changes.
   * @param {string} from
   * @param {string} to
   */
  rename(from, to) {
    const isOf = (/** @type {Message} */ message) => message.from === from || message.to === from;
    if (this.members) {
      this.members.rows = this.members.rows.map((row) => row.name === from ? { ...row, name: to } : row);
    }
    if (!this.messages.some(isOf)) return false;
    this.messages = this.messages.map((message) => {
      if (!isOf(message)) return message;
      const other = { ...message, from: message.from === from ? to : message.from };
      return message.to === from ? { ...other, to } : other;
    });
    return true;
  }

  /**
   * Forgets all messages up to this id.
   * @param {number} last
   */
  clear(last) {
    this.messages = this.messages.slice(this.indexOf(last + 1));
    this.notes = this.notes.filter((note) => note.after > last);
    this.spans.cut(0, last);
  }

  /**
   * The service has nothing behind this id: a backup was put in the place of its database. Other messages will have the
   * ids of those that are lost.
   * @param {number} last
   */
  rewind(last) {
    this.messages.splice(this.indexOf(last + 1));
    this.notes = this.notes.filter((note) => note.after <= last);
    this.marker = Math.min(this.marker, last);
    for (const id of [...this.unseen, ...this.calls].filter((id) => id > last)) this.erase(id, '');
  }

  /**
   * @param {string} time
   * @param {string} text
   */
  note(time, text) {
    // 0: at the beginning, where that is known; without a place it is not shown
    const after = this.newestId || (this.isGap(0) ? -1 : 0);
    this.notes.push({ key: ++this.noteKey, after, time, text });
    if (this.notes.length > MOST_NOTES) this.notes.shift();
  }

  // -- what is unread -------------------------------------------------------------------------------------------------
  /**
   * By the service's word so many are unread up to the id `lastId`, behind the marker. Gives the id up to which more was
   * shown here than it knows; 0 if nothing was.
   * @param {number} unread
   * @param {number} readId
   * @param {number} lastId
   */
  start(unread, readId, lastId) {
    const shown = this.marker;
    this.count = unread;
    this.countedTo = lastId;
    if (!unread) this.calls.clear();
    this.marker = readId;
    this.read(Math.max(readId, shown));
    return shown > readId ? shown : 0;
  }

  /**
   * A message was taken in: counts it if it is unread.
   * @param {Message} message
   */
  weigh(message) {
    if (message.id <= this.marker || message.own) return;
    if (message.id > this.countedTo) this.count++;
    if (message.mentions) this.calls.add(message.id);
  }

  /**
   * A direct message to the user is unread, unless it was shown here. Whether it is.
   * @param {number} id
   */
  miss(id) {
    if (id > this.marker) this.unseen.add(id);
    return id > this.marker;
  }

  /**
   * The service says anew which direct messages up to this id are unread.
   * @param {number} id
   */
  forgetUnseen(id) {
    for (const unseen of this.unseen) if (unseen <= id) this.unseen.delete(unseen);
  }

  /**
   * All up to this id was shown, here or elsewhere. Whether something changed.
   * @param {number} id
   */
  read(id) {
    const before = this.unread + this.calls.size;
    for (const unseen of this.unseen) if (unseen <= id) this.unseen.delete(unseen);
    for (const call of this.calls) if (call <= id) this.calls.delete(call);
    const from = this.marker;
    if (id > from) this.marker = id;
    if (id > from && !this.isTalk) this.recount(from);
    return id > from || before !== this.unread + this.calls.size;
  }

  /**
   * One direct message was shown elsewhere.
   * @param {number} id
   */
  readOne(id) {
    return this.unseen.delete(id);
  }

  /**
   * Counts anew, exactly where all behind the marker is loaded; else what was read behind `from` is taken off.
   * @param {number} [from]
   */
  recount(from = this.marker) {
    if (this.isTalk) return;
    const others = (/** @type {number} */ above, /** @type {number} */ upTo) =>
      this.messages.slice(this.indexOf(above + 1)).filter((message) => message.id <= upTo && !message.own).length;
    if (this.spans.has(this.marker + 1, Infinity)) this.count = others(this.marker, Infinity);
    else this.count = Math.max(0, this.count - others(from, this.marker));
  }
}
