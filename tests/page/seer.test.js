import assert from 'node:assert/strict';
import { Chat, loginOk, LOOKS, playIn, TIME } from './chat.js';
import { HELLO } from './fakes.js';

const test = Deno.test;
const PAUSE = 300;

const broadcast = (/** @type {number} */ id, /** @type {object} */ rest = {}) => ({
  type: 'broadcast',
  id,
  time: TIME,
  from: 'bob',
  message: 'hi',
  ...rest,
});
const seen = (/** @type {import('./fakes.js').PlayedSocket} */ socket) =>
  socket.sent.filter(({ command }) => command === 'seen').map(({ command: _, ref: __, ...rest }) => rest);

test('only what is visible, focused and at the end counts as seen', async () => {
  for (const missing of ['isVisible', 'isFocused', 'isAtEnd']) {
    const { session, socket, clock } = await playIn();
    session.look({ ...LOOKS, [missing]: false });
    socket().say(broadcast(5));
    clock.pass(PAUSE);
    assert.deepEqual([seen(socket()), session.store.get('#')?.unread], [[], 1], missing);
    session.look({ [missing]: true });
    clock.pass(PAUSE);
    assert.deepEqual([seen(socket()), session.store.get('#')?.unread], [[{ id: 5, room: 'all' }], 0], missing);
  }
});

test('one word is for all of a moment', async () => {
  const { session, socket, clock } = await playIn();
  session.look(LOOKS);
  for (let id = 1; id <= 50; id++) socket().say(broadcast(id));
  clock.pass(PAUSE);
  assert.deepEqual(seen(socket()), [{ id: 50, room: 'all' }]);
  socket().answer('seen', { type: 'ack', command: 'seen', id: 50 });
  clock.pass(PAUSE);
  assert.equal(seen(socket()).length, 1);
  assert.ok(!socket().sent.some(({ command }) => command === 'missed'));
});

test('what is said elsewhere stays unread, and each conversation has its own word', async () => {
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member' };
  const { session, socket, clock } = await playIn({ rooms: [ops] });
  session.look(LOOKS);
  socket().say(broadcast(5, { room: 'ops' }), broadcast(6, { type: 'direct', to: 'alice' }));
  clock.pass(PAUSE);
  assert.deepEqual(seen(socket()), []);
  for (const target of ['#ops', '@bob']) {
    session.open(target);
    session.look(LOOKS);
    clock.pass(PAUSE);
  }
  assert.deepEqual(seen(socket()), [{ id: 5, room: 'ops' }, { id: 6, with: 'bob' }]);
});

test('own messages need no word', async () => {
  const { session, socket, clock } = await playIn();
  session.look(LOOKS);
  socket().say(broadcast(5, { from: 'alice' }));
  clock.pass(PAUSE);
  assert.deepEqual(seen(socket()), []);
});

test('where newer ones are missing nothing is seen', async () => {
  const { session, socket, clock } = await playIn();
  socket().say(broadcast(5));
  session.store.get('#')?.spans.cut(6, Infinity);
  session.look(LOOKS);
  clock.pass(PAUSE);
  assert.deepEqual(seen(socket()), []);
  session.store.get('#')?.spans.add(6, Infinity);
  session.look(LOOKS);
  clock.pass(PAUSE);
  assert.equal(seen(socket()).length, 1);
});

test('what the service has not heard because of a loss is told after the next login', async () => {
  const { session, socket, clock } = await playIn();
  session.look(LOOKS);
  socket().say(broadcast(5));
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', loginOk({ last_id: 5, unread: 1, read_id: 0 }));
  assert.deepEqual(seen(socket()), [{ id: 5, room: 'all' }]);
  assert.equal(session.store.get('#')?.unread, 0);
});

test('when the page goes away what was shown is told at once', async () => {
  const { session, socket } = await playIn();
  session.look(LOOKS);
  socket().say(broadcast(5));
  session.leavePage();
  assert.deepEqual(seen(socket()), [{ id: 5, room: 'all' }]);
});

test('a service without rooms is not told of the main room while a talk is unread, as it would take that along', async () => {
  const { session, socket, sockets, clock } = await playIn();
  socket().end();
  clock.pass(1000);
  socket().say({ ...HELLO, features: [] });
  socket().answer('resume', loginOk());
  session.look(LOOKS);
  socket().say(broadcast(4, { type: 'direct', to: 'alice' }), broadcast(5));
  clock.pass(PAUSE);
  assert.deepEqual(seen(socket()), []);
  assert.equal(sockets.length, 2);
});

test('other tabs are told', async () => {
  const chat = new Chat();
  const [one, other, bob] = [await chat.enter('alice'), await chat.enter('alice'), await chat.enter('bob')];
  bob.say('#', 'hi');
  await chat.done(Promise.resolve());
  assert.deepEqual([one.store.unread().messages, other.store.unread().messages], [1, 1]);
  one.look(LOOKS);
  chat.clock.pass(PAUSE);
  await chat.done(Promise.resolve());
  assert.deepEqual([one.store.unread().messages, other.store.unread().messages], [0, 0]);
});
