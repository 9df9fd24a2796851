/**
 * What came while the page was away, or before it was opened: fetched by `since`, while what comes live is held back.
 *
 * It gives up where too much came: there is a gap then, which is filled when somebody looks at it.
 * @module
 */

import { LIMITS } from './protocol.js';
import { forgetMessages, missed, since } from './pages.js';

/** @typedef {import('./protocol.js').Event} Event */
/** @typedef {import('./protocol.js').LoginOkReply} LoginOkReply */
/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./wire.js').Wire} Wire */

const RECENT = 200; // ids before the login that a fresh page fetches: who wrote of late, in one page
const MOST_PAGES = 10; // of `since`: 2,000 messages, as many as a conversation keeps
const MOST_HELD = 2000; // events that come live meanwhile

export class CatchUp {
  /**
   * @param {Wire} wire
   * @param {Store} store
   * @param {() => void} done all is there, or there is a gap
   */
  constructor(wire, store, done) {
    this.wire = wire;
    this.store = store;
    this.done = done;
    this.isMore = false; // direct messages are missed beyond those that are told
    /** @private @type {(Event | (() => void))[] | null} what waits, in its order; null: nothing is under way */
    this.held = null;
    /** @private */
    this.time = ''; // the service's: every deletion before it is known
    /** @private */
    this.lastId = 0; // the seam: what is later comes live
    /** @private */
    this.pages = 0;
  }

  get isUnderWay() {
    return this.held !== null;
  }

  /**
   * A login: what is pushed waits from now on. Gives what `Store.start` gives; `fetch` follows.
   * @param {LoginOkReply} login
   * @param {string} mainRoom
   * @param {boolean} isBack
   */
  begin(login, mainRoom, isBack) {
    if (!isBack) this.store.cursor = Math.max(0, login.last_id - RECENT);
    this.held = [];
    this.lastId = login.last_id;
    this.pages = 0;
    return this.store.start(login, mainRoom);
  }

  /**
   * Fetches what is missing by that login.
   * @param {LoginOkReply} login
   */
  fetch(login) {
    if (login.missed) this.askMissed(login.last_id);
    else missed(this.store, [], login.last_id);
    this.ask(login.time, this.time);
  }

  /** The connection is lost: the next login begins where this one has come to. */
  stop() {
    const { held } = this;
    this.held = null;
    for (const one of held ?? []) if (typeof one === 'function') one(); // what was asked for was done all the same
  }

  /**
   * Does something at its place among the events that are pushed.
   * @param {() => void} then
   */
  inOrder(then) {
    if (this.held) this.held.push(then);
    else then();
  }

  /**
   * An event that is pushed: waits if something before it is not there yet.
   * @param {Event} event
   */
  take(event) {
    if (!this.held) {
      // Deletions have their order: of those before this one, none is unknown.
      if (event.type === 'deleted' && event.time > this.time) this.time = event.time;
      return this.store.take(event);
    }
    this.held.push(event);
    if (this.held.length > MOST_HELD) this.finish('');
  }

  /**
   * Asks which direct messages are missed; those up to `lastId` are what the reply says.
   * @param {number} [lastId]
   */
  askMissed(lastId = 0) {
    this.isMore = false;
    this.wire.send({ command: 'missed', limit: LIMITS.MAX_PAGE }, (reply) => {
      if (reply?.type !== 'missed') return;
      this.isMore = reply.more;
      for (const [target, id] of missed(this.store, reply.messages, lastId)) {
        this.wire.send({ command: 'seen', with: target.slice(1), id });
      }
    });
  }

  /**
   * @private
   * @param {string} loginTime
   * @param {string} deletedAfter
   */
  ask(loginTime, deletedAfter) {
    const { cursor } = this.store;
    const { held } = this;
    if (cursor >= this.lastId && !deletedAfter) return this.finish(loginTime);
    const after = deletedAfter ? { deleted_after: deletedAfter } : {};
    this.wire.send({ command: 'since', id: cursor, limit: LIMITS.MAX_PAGE, ...after }, (reply) => {
      if (this.held !== held || !held) return; // given up meanwhile
      if (reply?.type !== 'since') return reply && this.finish('');
      if (reply.deleted_more) forgetMessages(this.store, this.lastId);
      for (const id of reply.deleted ?? []) this.store.erase(id, reply.time);
      const rows = reply.messages.filter((row) => row.id <= this.lastId); // later ones come live
      const isMore = reply.more && rows.length === reply.messages.length;
      since(this.store, rows, isMore ? rows.at(-1)?.id ?? cursor : this.lastId);
      if (!isMore) return this.finish(loginTime);
      if (++this.pages === MOST_PAGES || this.store.cursor <= cursor) return this.finish(loginTime);
      this.ask(loginTime, reply.time);
    });
  }

  /**
   * @private
   * @param {string} time up to which all deletions are known; empty: as before
   */
  finish(time) {
    this.time = time || this.time;
    this.store.cursor = Math.max(this.store.cursor, this.lastId);
    const { held } = this;
    this.held = null;
    for (const one of held ?? []) {
      if (typeof one === 'function') one();
      else this.take(one);
    }
    this.done();
  }
}
