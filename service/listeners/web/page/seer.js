/**
 * Confirms what was seen: the open conversation, while somebody looks at its end. Nothing else is ever confirmed.
 * @module
 */

import { MAIN } from './conversation.js';

const PAUSE = 300; // ms from a message on show to its `seen`: one for all of a moment

export class Seer {
  /**
   * @param {import('./wire.js').Wire} wire
   * @param {import('./store.js').Store} store
   * @param {import('./catchup.js').CatchUp} catchUp
   */
  constructor(wire, store, catchUp) {
    /** @private */
    this.wire = wire;
    /** @private */
    this.store = store;
    /** @private */
    this.catchUp = catchUp;
    /** @private */
    this.isOpen = false; // all is there
    /** @private */
    this.timer = 0;
    /** @private @type {Map<string, number>} ids by target */
    this.due = new Map();
    /** @private */
    this.sight = { isVisible: false, isFocused: false, isAtEnd: false };
  }

  /**
   * What is on show: `at` is the id of a message there.
   * @param {{ isVisible?: boolean, isFocused?: boolean, isAtEnd?: boolean, at?: number }} sight
   */
  look({ at, ...sight }) {
    Object.assign(this.sight, sight);
    const { isVisible, isFocused, isAtEnd } = this.sight;
    this.store.isLooking = isVisible && isFocused && isAtEnd;
    if (isAtEnd) this.store.lookedAt = Infinity;
    else if (at !== undefined) this.store.lookedAt = at;
    this.confirm();
  }

  /** All that came before is there. */
  begin() {
    this.isOpen = true;
    this.confirm();
  }

  /** The connection is lost. What the service has not heard of it is told after the next login. */
  stop() {
    this.isOpen = false;
    this.due.clear();
    this.wire.environment.clear(this.timer);
    this.timer = 0;
  }

  /** Something may be seen by now. */
  confirm() {
    const { store } = this;
    const conversation = store.get(store.open);
    if (!this.isOpen || !store.isLooking || !conversation?.hasNewest || conversation.isLost) return;
    if (!conversation.unread && !conversation.mentions) return;
    const id = conversation.newestId;
    store.read(conversation.target, id);
    this.due.set(conversation.target, id);
    this.timer ||= this.wire.environment.later(() => this.send(), PAUSE);
  }

  /** Tells the service what was seen. */
  send() {
    this.wire.environment.clear(this.timer);
    this.timer = 0;
    for (const [target, id] of this.due) this.tell(target, id);
    this.due.clear();
  }

  /**
   * Tells the service that all up to this id was seen.
   * @param {string} target
   * @param {number} id
   */
  tell(target, id) {
    const { store } = this;
    const hasRooms = this.wire.features.includes('rooms');
    if (target === MAIN && !hasRooms && store.conversations().some((one) => one.isTalk && one.unread)) return;
    const room = target === MAIN ? store.mainRoom : target.slice(1);
    const place = target[0] === '@' ? { with: target.slice(1) } : hasRooms ? { room } : {};
    this.wire.send({ command: 'seen', id, ...place }, () => {
      if (this.catchUp.isMore && this.isOpen) this.catchUp.askMissed();
    });
  }
}
