/**
 * Sessions over a service in memory, for tests of what the page does with it.
 * @module
 */

import { Session } from '../../service/listeners/web/page/session.js';
import { Clock, environmentOf, HELLO, PlayedSocket, settle } from './fakes.js';
import { FakeService } from './service.js';

/** @typedef {import('../../service/listeners/web/page/store.js').Change} Change */

export const PASSWORD = 'securepassword';
export const TIME = '2026-11-21T09:30:00.000Z';
export const LOOKS = Object.freeze({ isVisible: true, isFocused: true, isAtEnd: true });

/** Some people and their service. */
export class Chat {
  constructor() {
    this.clock = new Clock();
    this.service = new FakeService();
  }

  /** @param {Partial<import('../../service/listeners/web/page/environment.js').Environment>} [rest] */
  session(rest) {
    return new Session(environmentOf(() => this.service.connect(), this.clock, rest));
  }

  /**
   * Somebody who is logged in, and caught up.
   * @param {string} name
   * @param {Parameters<Chat['session']>[0]} [rest]
   */
  async enter(name, rest) {
    const session = this.session(rest);
    session.start();
    this.service.pump();
    await this.done(session.login(name, PASSWORD, true));
    return session;
  }

  /**
   * What comes of something once all is delivered.
   * @template T
   * @param {Promise<T>} promise
   */
  async done(promise) {
    promise.catch(() => {});
    for (let turn = 0; turn < 5; turn++) {
      this.service.pump();
      await settle();
    }
    return promise;
  }

  /**
   * The connection of somebody tears, and comes back.
   * @param {Session} session
   */
  tear(session) {
    const link = [...this.service.links].find((one) => /** @type {unknown} */ (one) === session.wire.socket);
    link?.tear();
  }

  async back() {
    this.clock.pass(1000);
    await this.done(Promise.resolve());
  }
}

/**
 * A session on sockets that the test plays.
 * @param {Partial<import('../../service/listeners/web/page/environment.js').Environment>} [rest]
 */
export function play(rest) {
  const clock = new Clock();
  /** @type {PlayedSocket[]} */
  const sockets = [];
  const makeSocket = () => {
    sockets.push(new PlayedSocket());
    return sockets[sockets.length - 1];
  };
  const session = new Session(environmentOf(makeSocket, clock, rest));
  const socket = () => sockets[sockets.length - 1];
  return { clock, sockets, session, socket };
}

/**
 * What a login is answered with.
 * @param {Partial<import('../../service/listeners/web/page/protocol.js').LoginOkReply>} [rest]
 */
export function loginOk(rest) {
  const main = { unread: 0, read_id: 0, role: 'member', topic: '', rooms: [] };
  return { type: 'login_ok', username: 'alice', users: ['alice'], missed: 0, last_id: 0, time: TIME, ...main, ...rest };
}

/**
 * A session that is logged in, with the socket that the test plays.
 * @param {Partial<import('../../service/listeners/web/page/protocol.js').LoginOkReply>} [login]
 * @param {Parameters<typeof play>[0]} [rest]
 */
export async function playIn(login, rest) {
  const played = play(rest);
  played.session.start();
  played.socket().say(HELLO);
  const entered = played.session.login('alice', PASSWORD, true);
  await settle();
  played.socket().answer('login', loginOk({ token: 'token', ...login }));
  await entered;
  return played;
}

/**
 * Why a promise was rejected.
 * @param {Promise<unknown>} promise
 * @returns {Promise<import('../../service/listeners/web/page/words.js').Refusal>}
 */
export function refusalOf(promise) {
  return promise.then(() => {
    throw new Error('it was not refused');
  }, (refusal) => refusal);
}
