/**
 * The socket: it connects, comes back after a loss, finds out when it is dead, and joins each reply to its command.
 *
 * It knows no login and no message: that is the session's.
 * @module
 */

import { decode, isKnown } from './protocol.js';
import { wellFormed } from './text.js';

/** @typedef {import('./protocol.js').Command} Command */
/** @typedef {import('./protocol.js').Event} Event */
/** @typedef {import('./protocol.js').HelloEvent} HelloEvent */
/** @typedef {import('./environment.js').Environment} Environment */
/** @typedef {import('./environment.js').Socket} Socket */
/** Why a connection ended, as far as the service said: the reason of its `bye`, and the code of a fatal error before.
 * @typedef {{ reason: string, code: string }} Ending
 */
/** A reply; null: the connection was lost before it came. It runs at the reply's place among the events.
 * @typedef {(reply: Event | null) => void} Done
 */

const FIRST_PAUSE = 1000; // ms before the first try, and twice as long before each further one
const LONGEST_PAUSE = 30_000; // ms
export const CONNECTING = 15_000; // ms from the begin of a try to `hello`
export const SILENCE = 20_000; // ms without a line, until it asks: the service pushes every 30 s, NATs forget in 60
export const PATIENCE = 15_000; // ms for any line after that; a slow search is bridged by the push
export const SHORT_PATIENCE = 5000; // ms, where the browser says that the network has changed

export class Wire {
  /**
   * @param {Environment} environment
   * @param {{ hello: (hello: HelloEvent) => void, take: (event: Event) => void, lost: (ending: Ending) => void,
   *   turn: () => void }} owner `turn`: the state is another one
   */
  constructor(environment, owner) {
    /** @type {'idle' | 'connecting' | 'online' | 'waiting'} */
    this.state = 'idle';
    this.retryAt = 0; // ms of the clock, while waiting
    this.comesBack = true; // after a loss
    /** @type {readonly string[]} of the hello of this connection */
    this.features = [];
    this.environment = environment;
    this.owner = owner;
    /** @type {Socket | null} */
    this.socket = null;
    /** @type {Map<string, Done>} */
    this.asked = new Map();
    this.number = 0; // of the last ref
    this.tries = 0; // in vain
    this.heard = 0; // ms of the clock
    this.isSilent = false; // since the last ping
    this.timer = 0;
    /** @type {Ending} */
    this.ending = { reason: '', code: '' };
  }

  /** Connects, unless it does already. */
  connect() {
    if (this.state === 'connecting' || this.state === 'online') return;
    this.turn('connecting');
    this.ending = { reason: '', code: '' };
    this.features = [];
    const socket = this.environment.makeSocket();
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.receive(data, socket);
    };
    socket.onclose = () => this.lose();
    this.wait(CONNECTING, () => this.lose());
  }

  /** The network may be back, or gone: tries at once, or finds out whether the connection is alive. */
  nudge() {
    if (this.state === 'waiting') this.connect();
    else if (this.state === 'online') this.ping(SHORT_PATIENCE);
  }

  /** The login is done: the pauses begin anew. Before that a service that ends each try would be asked all the time. */
  settle() {
    this.tries = 0;
  }

  /**
   * Sends a command. Nothing is sent that the service does not know: the answer is then as its own would be.
   * @param {Command} command
   * @param {Done} [done]
   */
  send(command, done = () => {}) {
    if (this.state !== 'online' || !this.socket) return done(null);
    if (!isKnown(command, this.features)) {
      return done({ type: 'error', code: 'unknown_command', message: 'this server cannot do that' });
    }
    const ref = String(++this.number);
    this.asked.set(ref, done);
    // A line with half a character is none for the service: there would be no answer, ever.
    const line = JSON.stringify(
      { ...command, ref },
      (_, value) => typeof value === 'string' ? wellFormed(value) : value,
    );
    this.socket.send(`${line}\n`);
  }

  /** Ends the connection; it comes back if it may. */
  drop() {
    if (this.socket) this.lose();
  }

  /** Ends the connection for good, until `connect`. */
  stop() {
    this.comesBack = false;
    if (this.socket) this.lose();
    this.environment.clear(this.timer);
    this.turn('idle');
  }

  /**
   * @param {string} data lines
   * @param {Socket} socket
   */
  receive(data, socket) {
    for (const line of data.split('\n')) {
      if (socket !== this.socket) return; // it was lost by what came before
      const event = decode(line);
      try {
        if (event) this.take(event);
      } catch (error) {
        reportError(error); // one event that nobody understands does not cost those behind it
      }
    }
  }

  /** @param {Event} event */
  take(event) {
    this.heard = this.environment.now();
    this.isSilent = false;
    if (event.type === 'hello') {
      this.features = event.features ?? [];
      this.turn('online');
      this.wait(SILENCE, () => this.listen());
      return this.owner.hello(event);
    }
    if (event.type === 'error' && event.fatal) this.ending.code = event.code;
    const done = 'ref' in event && event.ref !== undefined ? this.asked.get(event.ref) : undefined;
    if ('ref' in event && event.ref !== undefined) this.asked.delete(event.ref);
    if (event.type === 'bye') {
      this.ending.reason = event.reason;
      done?.(event);
      return this.lose();
    }
    if (done) done(event);
    else if (event.type !== 'error') this.owner.take(event);
  }

  /** Looks whether something was heard of late. */
  listen() {
    const now = this.environment.now();
    this.heard = Math.min(this.heard, now); // the clock may have been set back
    const silence = now - this.heard;
    if (silence < SILENCE) this.wait(SILENCE - silence, () => this.listen());
    else this.ping(PATIENCE);
  }

  /** @param {number} patience ms for any line */
  ping(patience) {
    this.isSilent = true;
    this.send({ command: 'ping' });
    this.wait(patience, () => {
      if (this.isSilent) this.lose();
      else this.listen();
    });
  }

  lose() {
    const { socket } = this;
    if (!socket) return;
    this.socket = null;
    socket.onmessage = socket.onclose = null; // it may close long after, or never
    socket.close();
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.tries++) * (0.5 + this.environment.random() / 2);
    this.retryAt = this.environment.now() + pause;
    this.turn('waiting');
    const lost = [...this.asked.values()];
    this.asked.clear();
    for (const done of lost) done(null);
    this.owner.lost(this.ending);
    if (this.state !== 'waiting') return; // the owner has decided
    if (this.comesBack) this.wait(pause, () => this.connect());
    else this.stop();
  }

  /**
   * @param {number} pause ms
   * @param {() => void} then
   */
  wait(pause, then) {
    this.environment.clear(this.timer);
    this.timer = this.environment.later(then, pause);
  }

  /** @param {Wire['state']} state */
  turn(state) {
    if (state === this.state) return;
    this.state = state;
    this.owner.turn();
  }
}
