import assert from 'node:assert/strict';
import { Chat, playIn, refusalOf, TIME } from './chat.js';

const test = Deno.test;
const OPS = { room: 'ops', created: TIME, topic: '', private: false, members: 2, role: 'owner', read_id: 0, unread: 0 };

/** The last command, without its ref. @param {import('./fakes.js').PlayedSocket} socket */
function last(socket) {
  const { ref: _, ...command } = socket.sent[socket.sent.length - 1];
  return command;
}

test('a room is made, joined, talked in and left', async () => {
  const chat = new Chat();
  const [alice, bob] = [await chat.enter('alice'), await chat.enter('bob')];
  assert.equal(await chat.done(alice.create('ops', 'uptime', false)), '#ops');
  assert.equal(await chat.done(bob.join('ops')), '#ops');
  assert.deepEqual([alice.store.get('#ops')?.memberCount, bob.store.get('#ops')?.topic], [2, 'uptime']);
  bob.say('#ops', 'hi');
  await chat.done(Promise.resolve());
  assert.equal(alice.store.get('#ops')?.messages[0].text, 'hi');
  await chat.done(bob.open('#ops'));
  await chat.done(bob.leave('#ops'));
  assert.deepEqual([bob.store.get('#ops'), bob.store.open], [undefined, '#']);
  assert.equal(alice.store.get('#ops')?.memberCount, 1);
});

test('another tab of the account enters and leaves along', async () => {
  const chat = new Chat();
  const [one, other] = [await chat.enter('alice'), await chat.enter('alice')];
  await chat.done(one.create('ops', '', false));
  assert.equal(other.store.get('#ops')?.role, 'owner');
  await chat.done(other.leave('#ops'));
  assert.equal(one.store.get('#ops'), undefined);
});

test('a refusal is said in words', async () => {
  const chat = new Chat();
  const alice = await chat.enter('alice');
  assert.equal((await refusalOf(chat.done(alice.join('nowhere')))).code, 'unknown_room');
  await chat.done(alice.create('ops', '', false));
  assert.equal((await refusalOf(chat.done(alice.create('ops', '', false)))).code, 'room_exists');
});

test('the main room is named where a room has to be', async () => {
  const { session, socket } = await playIn({ role: 'owner' });
  const done = session.moderate('#', 'bob', 'mute', { minutes: 30, reason: 'too loud' });
  const expected = {
    command: 'moderate',
    room: 'all',
    username: 'bob',
    action: 'mute',
    minutes: 30,
    reason: 'too loud',
  };
  assert.deepEqual(last(socket()), expected);
  socket().answer('moderate', { type: 'ack', command: 'moderate', username: 'bob', action: 'mute' });
  await done;
  assert.match(session.store.get('#')?.notes[0].text ?? '', /^You silenced bob: too loud\.$/);
});

test('what a moderator does is shown to the one who did it, too', async () => {
  const { session, socket, clock } = await playIn({ rooms: [OPS] });
  const listed = session.members('#ops');
  const member = (/** @type {string} */ name) => ({ name, role: 'member', online: true });
  socket().answer('members', { type: 'members', room: 'ops', members: [member('alice'), member('bob')], more: false });
  await listed;
  const muted = session.moderate('#ops', 'Bob', 'mute', { minutes: 1 });
  socket().answer('moderate', { type: 'ack', command: 'moderate', room: 'ops', username: 'bob', action: 'mute' });
  await muted;
  const until = new Date(clock.now() + 60_000).toISOString();
  assert.deepEqual(session.store.get('#ops')?.members?.rows[1], { ...member('bob'), muted: true, muted_until: until });
  const kicked = session.moderate('#ops', 'bob', 'kick', { reason: '' });
  assert.deepEqual(last(socket()), { command: 'moderate', room: 'ops', username: 'bob', action: 'kick' });
  socket().answer('moderate', { type: 'ack', command: 'moderate', room: 'ops', username: 'bob', action: 'kick' });
  await kicked;
  assert.deepEqual(session.store.get('#ops')?.members?.rows.map(({ name }) => name), ['alice']);
});

test('a topic and the privacy change at once for who set them', async () => {
  const { session, socket } = await playIn({ rooms: [OPS] });
  const set = session.setTopic('#ops', 'on call');
  assert.deepEqual(last(socket()), { command: 'set_room', room: 'ops', topic: 'on call' });
  socket().answer('set_room', { type: 'ack', command: 'set_room', room: 'ops' });
  const hidden = session.makePrivate('#ops');
  assert.deepEqual(last(socket()), { command: 'set_room', room: 'ops', private: true });
  socket().answer('set_room', { type: 'ack', command: 'set_room', room: 'ops' });
  await Promise.all([set, hidden]);
  const { topic, isPrivate } = session.store.get('#ops') ?? {};
  assert.deepEqual([topic, isPrivate], ['on call', true]);
});

test('lists are read on behind their last name', async () => {
  const { session, socket } = await playIn({ rooms: [OPS] });
  session.rooms('dev');
  assert.deepEqual(last(socket()), { command: 'rooms', after: 'dev' });
  session.rooms();
  assert.deepEqual(last(socket()), { command: 'rooms' });
  session.bans('#ops', 'bob');
  assert.deepEqual(last(socket()), { command: 'bans', room: 'ops', after: 'bob' });
  session.members('#ops', 'bob');
  assert.deepEqual(last(socket()), { command: 'members', room: 'ops', after: 'bob' });
});
