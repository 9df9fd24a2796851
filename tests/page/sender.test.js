import assert from 'node:assert/strict';
import { Memory } from '../../service/listeners/web/page/environment.js';
import { Chat, loginOk, play, playIn, TIME } from './chat.js';
import { HELLO } from './fakes.js';

const test = Deno.test;
const sent = (/** @type {import('./fakes.js').PlayedSocket} */ socket) =>
  socket.sent.filter(({ command }) => command === 'pm' || command === 'dm');
const shown = (/** @type {import('../../service/listeners/web/page/session.js').Session} */ session, target = '#') => ({
  pending: session.store.get(target)?.pending.map(({ text, state }) => `${text} ${state}`),
  messages: session.store.get(target)?.messages.map(({ text }) => text),
});

test('a text is pending at once, and stored by its ack', async () => {
  const { session, socket } = await playIn();
  assert.equal(session.say('#', 'hi'), null);
  assert.deepEqual(shown(session), { pending: ['hi waiting'], messages: [] });
  assert.equal(session.waiting, 1);
  const [{ nonce }] = sent(socket());
  socket().answer('pm', { type: 'ack', command: 'pm', id: 7, time: TIME, nonce });
  assert.deepEqual(shown(session), { pending: [], messages: ['hi'] });
  assert.equal(session.waiting, 0);
});

test('each goes where it belongs, as what it is', async () => {
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member' };
  const { session, socket } = await playIn({ rooms: [ops] });
  session.say('#', 'to all');
  session.say('#ops', 'waves', 'action');
  session.say('@bob', 'to bob');
  const commands = sent(socket()).map(({ nonce: _, ref: __, ...command }) => command);
  assert.deepEqual(commands, [
    { command: 'pm', message: 'to all' },
    { command: 'pm', room: 'ops', created: TIME, message: 'waves', kind: 'action' },
    { command: 'dm', to: 'bob', message: 'to bob' },
  ]);
});

test('what has no ack goes again after the next login, in its order, with its nonces', async () => {
  const { session, socket, clock } = await playIn();
  session.say('#', 'one');
  session.say('#', 'two');
  const before = sent(socket());
  socket().end();
  session.say('#', 'three');
  clock.pass(1000);
  socket().say(HELLO);
  assert.equal(sent(socket()).length, 0); // nobody is logged in yet
  socket().answer('resume', loginOk());
  const after = sent(socket());
  assert.deepEqual(after.map(({ message }) => message), ['one', 'two', 'three']);
  assert.deepEqual(after.slice(0, 2).map(({ nonce }) => nonce), before.map(({ nonce }) => nonce));
});

test('they outlive a reload, and go before anything else is asked', async () => {
  const local = new Memory();
  const { session } = await playIn({}, { local });
  session.say('#', 'one');
  const { session: again, socket } = play({ local });
  again.start();
  socket().say(HELLO);
  socket().answer('resume', loginOk());
  assert.deepEqual(shown(again).pending, ['one waiting']);
  assert.deepEqual(socket().sent.map(({ command }) => command).slice(0, 2), ['resume', 'pm']);
});

test('a text that was stored before its ack was lost is there once', async () => {
  const chat = new Chat();
  const session = await chat.enter('alice');
  session.say('#', 'once');
  [...chat.service.links][0].work();
  chat.tear(session);
  await chat.back();
  assert.deepEqual(shown(session), { pending: [], messages: ['once'] });
  assert.equal(chat.service.rows.length, 1);
});

test('two tabs that both send what waits say it once', async () => {
  const chat = new Chat();
  const local = new Memory();
  const [one, other] = [await chat.enter('alice', { local }), await chat.enter('alice', { local })];
  chat.tear(one);
  one.say('#', 'by both');
  chat.tear(other);
  await chat.back();
  assert.equal(chat.service.rows.length, 1);
  for (const session of [one, other]) assert.deepEqual(shown(session), { pending: [], messages: ['by both'] });
  assert.equal([...local.all.keys()].filter((key) => key.includes('outbox')).length, 0);
});

test('what another tab has sent meanwhile is pending no more', async () => {
  const { session } = await playIn();
  session.say('#', 'hi');
  const { local } = session.environment;
  const key = Array.from({ length: local?.length ?? 0 }, (_, index) => local?.key(index)).find((name) =>
    name?.includes('outbox')
  );
  session.hearStorage(key ?? null, null);
  assert.deepEqual(shown(session).pending, []);
});

test('a text of another tab is sent by this one, if that tab does not: it may be closed', async () => {
  const { session, socket, clock } = await playIn();
  const entry = {
    nonce: 'n',
    target: '#',
    created: '',
    time: TIME,
    text: 'left',
    kind: '',
    state: 'waiting',
    error: '',
  };
  session.hearStorage('chat:outbox:alice:n', JSON.stringify(entry));
  assert.deepEqual(shown(session).pending, ['left waiting']);
  clock.pass(9999);
  assert.equal(sent(socket()).length, 0);
  clock.pass(1);
  assert.deepEqual(sent(socket()).map(({ message, nonce }) => [message, nonce]), [['left', 'n']]);
});

test('a text that waits for a room keeps it in sight, until the text is thrown away', async () => {
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member' };
  const { session, socket } = await playIn({ rooms: [ops] });
  session.say('#ops', 'too late');
  socket().say({ type: 'member', room: 'ops', username: 'alice', action: 'kick', time: TIME });
  socket().answer('pm', { type: 'error', code: 'not_a_member', message: 'you are no member of this room' });
  assert.equal(session.store.get('#ops')?.isLost, true);
  assert.deepEqual(shown(session, '#ops').pending, ['too late failed']);
  session.discard(session.store.get('#ops')?.pending[0].nonce ?? '');
  assert.equal(session.store.get('#ops'), undefined);
});

test('a refused text stays with its reason, and is sent again or thrown away by the user', async () => {
  const { session, socket, clock } = await playIn();
  session.say('#', 'hi');
  const refuse = () =>
    socket().answer('pm', { type: 'error', code: 'muted', message: 'you are muted here', retry_after: 60 });
  refuse();
  assert.deepEqual(shown(session).pending, ['hi failed']);
  const [{ nonce, error }] = session.store.get('#')?.pending ?? [];
  assert.equal(error, 'You are muted here. It ends in 60 seconds.');
  assert.equal(session.waiting, 0);
  clock.pass(15_000);
  assert.equal(sent(socket()).length, 1);
  session.again(nonce);
  assert.equal(sent(socket()).length, 2);
  refuse();
  session.discard(nonce);
  assert.deepEqual(shown(session).pending, []);
});

test('a text that is thrown away takes nothing else along', async () => {
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member' };
  const { session } = await playIn({ rooms: [ops] });
  session.say('#ops', 'hi');
  session.discard(session.store.get('#ops')?.pending[0].nonce ?? '');
  assert.deepEqual(shown(session, '#ops').pending, []);
});

test('what the service cannot store just now is sent again by itself', async () => {
  const { session, socket, clock } = await playIn();
  session.say('#', 'hi');
  socket().answer('pm', { type: 'error', code: 'storage_unavailable', message: 'nothing was stored' });
  assert.deepEqual(shown(session).pending, ['hi waiting']);
  clock.pass(4999);
  assert.equal(sent(socket()).length, 1);
  clock.pass(1);
  assert.equal(sent(socket()).length, 2);
});

test('what the service may have stored is sent again with the same nonce until its ack', async () => {
  const { session, socket, clock } = await playIn();
  session.say('#', 'hi');
  for (const maybe of [true, undefined]) {
    socket().answer('pm', { type: 'error', code: 'storage_unavailable', message: 'not known', maybe });
    clock.pass(5000);
  }
  assert.equal(new Set(sent(socket()).map(({ nonce }) => nonce)).size, 1);
  assert.equal(sent(socket()).length, 3);
  socket().answer('pm', { type: 'ack', command: 'pm', id: 18, time: TIME });
  assert.deepEqual(shown(session).pending, []);
});

test('a text stays with who wrote it where it cannot be taken', async () => {
  const { session } = await playIn();
  assert.match(session.say('#', '')?.text ?? '', /Write something/);
  assert.match(session.say('#', 'x'.repeat(4097))?.text ?? '', /4,096/);
  assert.equal(session.say('#', '👍'.repeat(4096)), null);
  assert.match(session.say('#unknown', 'x')?.text ?? '', /no longer in this room/);
});

test('a text for a room that is lost is refused by the service, and shown where it was written', async () => {
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member' };
  const { session, socket, clock } = await playIn({ rooms: [ops] });
  session.say('#ops', 'still');
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', loginOk());
  assert.deepEqual(shown(session, '#ops').pending, ['still waiting']);
  assert.equal(sent(socket())[0].created, TIME); // so that it goes to no other room of that name
  socket().answer('pm', { type: 'error', code: 'unknown_room', message: 'there is no room "ops"' });
  assert.deepEqual(shown(session, '#ops').pending, ['still failed']);
});

test('texts to somebody who has another name go there', async () => {
  const { session, socket, clock } = await playIn();
  socket().end();
  session.say('@bob', 'hi');
  clock.pass(1000);
  socket().say(HELLO);
  session.store.take({ type: 'renamed', from: 'bob', to: 'bobby', time: TIME });
  socket().answer('resume', loginOk());
  assert.equal(sent(socket())[0].to, 'bobby');
  assert.deepEqual(shown(session, '@bobby').pending, ['hi waiting']);
});

test('what another tab keeps for itself does not put off what waits', async () => {
  const { session, socket, clock } = await playIn();
  session.say('#', 'hi');
  socket().answer('pm', { type: 'error', code: 'storage_unavailable', message: 'nothing was stored' });
  for (let second = 0; second < 5; second++) {
    session.hearStorage('chat:kept:alice:draft #', 'a draft');
    clock.pass(1000);
  }
  assert.equal(sent(socket()).length, 2);
});

test('a text whose line would be too long for the service is not taken: it ends the session for that', async () => {
  const { session, socket } = await playIn();
  socket().say({ ...HELLO, max_message: 100_000, max_line: 65_536 });
  assert.match(session.say('#', '\u{1F600}'.repeat(16_200))?.text ?? '', /in parts/);
  assert.equal(session.say('#', '\u{1F600}'.repeat(16_100)), null);
});

test('a text stays with who wrote it where the session has ended', async () => {
  const { session, socket } = await playIn();
  socket().say({ type: 'bye', reason: 'kicked' });
  assert.equal(session.say('#', 'hi')?.code, 'offline');
});
