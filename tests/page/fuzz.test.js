import assert from 'node:assert/strict';
import { Session } from '../../service/listeners/web/page/session.js';
import { chance, Clock, environmentOf, settle } from './fakes.js';
import { FakeService } from './service.js';

/** @typedef {import('../../service/listeners/web/page/conversation.js').Conversation} Conversation */

const NAMES = ['alice', 'alice', 'bob', 'carol']; // alice has two sessions
const ROOMS = ['ops', 'dev'];
const STEPS = 400;

/** A small world: sessions of some people, a service, and chance. */
class World {
  /** @param {number} seed */
  constructor(seed) {
    this.random = chance(seed);
    this.clock = new Clock();
    this.service = new FakeService();
    /** @type {string[]} what was said, each text once */
    this.said = [];
    this.sessions = NAMES.map(() =>
      new Session(environmentOf(() => this.service.connect(), this.clock, { random: this.random }))
    );
  }

  /**
   * @template T
   * @param {readonly T[]} all
   */
  pick(all) {
    return all[Math.floor(this.random() * all.length)];
  }

  async enter() {
    for (const [index, session] of this.sessions.entries()) {
      session.start();
      this.service.pump();
      const entered = session.login(NAMES[index], 'securepassword', true);
      await settle();
      this.service.pump();
      await entered;
      this.service.pump();
    }
  }

  /** One thing happens, anywhere. */
  step() {
    const session = this.pick(this.sessions);
    const links = [...this.service.links];
    const link = links.length ? this.pick(links) : null;
    const known = session.store.conversations().map((conversation) => conversation.target);
    const target = known.length ? this.pick(known) : '#';
    const conversation = session.store.get(target);
    const message = conversation?.messages.length ? this.pick(conversation.messages) : null;
    const ignored = () => {};
    const deeds = [
      ...Array(8).fill(() => link?.work()),
      ...Array(8).fill(() => link?.deliver(1 + Math.floor(this.random() * 4))),
      ...Array(4).fill(() => this.say(session, target)),
      () => this.say(session, `@${this.pick(NAMES)}`),
      () => this.random() < 0.3 && link?.tear(),
      () => this.clock.pass(Math.floor(this.random() * 5000)),
      () => session.open(target).catch(ignored),
      () => session.look({ isVisible: true, isFocused: true, isAtEnd: this.random() < 0.5 }),
      () => session.look({ isVisible: this.random() < 0.5 }),
      () => message && session.older(target, message.id).catch(ignored),
      () => message && session.newer(target, message.id).catch(ignored),
      () => message && session.around(target, message.id).catch(ignored),
      () => message?.own && session.remove(message.id).catch(ignored),
      () => session.create(this.pick(ROOMS), '', false).catch(ignored),
      () => session.join(this.pick(ROOMS)).catch(ignored),
      () => this.random() < 0.3 && target.length > 1 && target[0] === '#' && session.leave(target).catch(ignored),
      () => this.service.isFull = this.random() < 0.1,
    ];
    this.pick(deeds)();
  }

  /**
   * @param {Session} session
   * @param {string} target
   */
  say(session, target) {
    const text = `text ${this.said.length}, ${this.pick(NAMES)}`;
    if (!session.say(target, text)) this.said.push(text);
  }

  /** Everybody is back, and nothing is under way. */
  async calm() {
    this.service.isFull = false;
    for (let turn = 0; turn < 20; turn++) {
      this.clock.pass(10_000);
      this.service.pump();
      await settle();
    }
  }
}

/**
 * @param {Conversation} conversation
 * @param {FakeService} service
 * @param {string} name
 */
function compare(conversation, service, name) {
  const rows = service.rowsOf(name, conversation.target);
  const shown = conversation.messages.map(({ id, from, text, deleted }) => ({
    id,
    from,
    text,
    deleted: Boolean(deleted),
  }));
  const all = rows.map(({ id, from, message, deleted }) => ({ id, from, text: message, deleted: Boolean(deleted) }));
  const loaded = new Set(shown.map(({ id }) => id));
  assert.deepEqual(
    shown,
    all.filter(({ id }) => loaded.has(id)),
    'what is shown is what the service has, in its order',
  );
  for (const [first, last] of conversation.spans.all) {
    const missing = all.filter(({ id }) => first <= id && id <= last && !loaded.has(id));
    assert.deepEqual(missing, [], `nothing is missing where nothing is said to be, in ${conversation.target}`);
  }
}

/**
 * Reads all that is missing, as somebody would who scrolls everywhere.
 * @param {World} world
 * @param {Session} session
 * @param {Conversation} conversation
 */
async function readAll(world, session, conversation) {
  const { target } = conversation;
  for (let turn = 0; turn < 200; turn++) {
    const count = conversation.messages.length;
    const gap = Array.from({ length: count + 1 }, (_, index) => index).find((index) => conversation.isGap(index));
    if (gap === undefined) return;
    const page = count === 0
      ? session.newest(target)
      : gap < count
      ? session.older(target, conversation.messages[gap].id)
      : session.newer(target, conversation.messages[gap - 1].id);
    world.service.pump();
    await page;
  }
  assert.fail(`gaps in ${target} that do not close`);
}

for (let seed = 1; seed <= 40; seed++) {
  Deno.test(`whatever happens, the store has what a full read gives (seed ${seed})`, async () => {
    const world = new World(seed);
    const { service } = world;
    await world.enter();
    for (let step = 0; step < STEPS; step++) {
      world.step();
      if (world.random() < 0.2) await settle();
    }
    await world.calm();
    const stored = service.rows.map((row) => row.message).filter(Boolean);
    assert.equal(new Set(stored).size, stored.length, 'nothing is stored twice');
    for (const [index, session] of world.sessions.entries()) {
      const { store } = session;
      const failed = store.conversations().flatMap((one) => one.pending);
      assert.equal(failed.filter((entry) => entry.state === 'waiting').length, 0, 'nothing waits');
      assert.deepEqual([...store.online].sort(), service.online);
      const rooms = [...service.rooms].filter(([, room]) => room.members.has(NAMES[index])).map(([room]) => `#${room}`);
      const known = store.conversations().filter((one) => one.kind === 'room' && !one.isLost);
      assert.deepEqual(known.map((one) => one.target), rooms.sort());
      for (const conversation of store.conversations()) {
        if (conversation.isLost) continue;
        compare(conversation, service, NAMES[index]);
        await readAll(world, session, conversation);
        await world.calm();
        compare(conversation, service, NAMES[index]);
        assert.equal(conversation.messages.length, service.rowsOf(NAMES[index], conversation.target).length);
        const unread = service.unreadOf(NAMES[index], conversation.target);
        if (conversation.isTalk && session.catchUp.isMore) assert.ok(conversation.unread <= unread); // told later
        else assert.equal(conversation.unread, unread, conversation.target);
      }
    }
    const lost = world.sessions.flatMap((session) => session.sender?.outbox.all.map((entry) => entry.text) ?? []);
    const texts = new Set([...service.nonces.keys()]);
    assert.equal(texts.size + new Set(lost).size, world.said.length, 'every text is stored, or refused with a reason');
  });
}
