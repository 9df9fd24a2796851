/**
 * A clock that stands until a test moves it, chance by a seed, and an environment of both with the sockets of a service.
 * @module
 */

import { Memory } from '../../service/listeners/web/page/environment.js';

/** @typedef {import('../../service/listeners/web/page/environment.js').Environment} Environment */
/** @typedef {import('../../service/listeners/web/page/environment.js').Socket} Socket */

export class Clock {
  constructor() {
    this.time = Date.parse('2026-11-21T09:30:00.000Z');
    /** @type {Map<number, { at: number, then: () => void }>} */
    this.timers = new Map();
    this.number = 0;
  }

  now() {
    return this.time;
  }

  /**
   * @param {() => void} then
   * @param {number} ms
   */
  later(then, ms) {
    this.timers.set(++this.number, { at: this.time + ms, then });
    return this.number;
  }

  /** @param {number} timer */
  clear(timer) {
    this.timers.delete(timer);
  }

  /**
   * Time passes; what is due is done, in its order.
   * @param {number} ms
   */
  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end).sort((one, other) => one[1].at - other[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.time = due[1].at;
      due[1].then();
    }
    this.time = end;
  }
}

/**
 * Numbers from 0 to 1, the same for the same seed (mulberry32).
 * @param {number} seed
 */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A socket of which the test plays the other side: `sent` has what the page said. */
export class PlayedSocket {
  constructor() {
    /** @type {Socket['onmessage']} */
    this.onmessage = null;
    /** @type {Socket['onclose']} */
    this.onclose = null;
    /** @type {any[]} */
    this.sent = [];
    this.isClosed = false;
  }

  /** @param {string} data */
  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close() {
    this.isClosed = true;
  }

  /** @param {object[]} events */
  say(...events) {
    this.onmessage?.({ data: events.map((event) => `${JSON.stringify(event)}\n`).join('') });
  }

  /**
   * Answers the last command of that name.
   * @param {string} command
   * @param {object} reply
   */
  answer(command, reply) {
    const asked = this.sent.findLast((one) => one.command === command);
    if (!asked) throw new Error(`nobody has asked ${command}`);
    this.say({ ...reply, ref: asked.ref });
  }

  end() {
    this.onclose?.();
  }
}

/**
 * @param {() => Socket} makeSocket
 * @param {Clock} clock
 * @param {Partial<Environment>} [rest]
 * @returns {Environment}
 */
export function environmentOf(makeSocket, clock, rest = {}) {
  const random = rest.random ?? chance(1);
  return {
    makeSocket,
    now: () => clock.now(),
    later: (then, ms) => clock.later(then, ms),
    clear: (timer) => clock.clear(timer),
    random,
    digits: () => random().toString(36).slice(2),
    isSecure: true,
    local: new Memory(),
    tab: new Memory(),
    onChange: () => {},
    ...rest,
  };
}

export const HELLO = Object.freeze({
  type: 'hello',
  protocol: 1,
  server: 'chat',
  version: '1',
  registration: 'open',
  max_line: 65536,
  max_message: 4096,
  features: ['delete', 'kind', 'presence', 'quiet', 'rooms', 'since'],
  main_room: 'all',
});

/** Lets what was promised go on. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
