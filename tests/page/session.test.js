import assert from 'node:assert/strict';
import { Chat, loginOk, LOOKS, play, playIn, refusalOf, TIME } from './chat.js';
import { HELLO, settle } from './fakes.js';

const test = Deno.test;

/** Two people, of whom bob has said so many things. @param {number} count */
async function talk(count) {
  const chat = new Chat();
  const [alice, bob] = [await chat.enter('alice'), await chat.enter('bob')];
  for (let number = 1; number <= count; number++) {
    bob.say('#', `text ${number}`);
    if (number % 100 === 0) await chat.done(Promise.resolve());
  }
  await chat.done(Promise.resolve());
  return { chat, alice, bob };
}

const texts = (/** @type {import('../../service/listeners/web/page/session.js').Session} */ session, target = '#') =>
  session.store.get(target)?.messages.map(({ text }) => text);

test('two people talk', async () => {
  const { chat, alice, bob } = await talk(1);
  alice.say('@bob', 'hi');
  await chat.done(Promise.resolve());
  assert.deepEqual([texts(alice), texts(bob)], [['text 1'], ['text 1']]);
  assert.deepEqual([texts(alice, '@bob'), texts(bob, '@alice')], [['hi'], ['hi']]);
  assert.equal(alice.store.get('@bob')?.messages[0].status, 'delivered');
});

test('each change is told, until who listens has ended it', async () => {
  const { chat, alice, bob } = await talk(0);
  /** @type {string[]} */
  const told = [];
  const end = alice.subscribe(({ kind }) => told.push(kind));
  bob.say('#', 'hi');
  await chat.done(Promise.resolve());
  assert.deepEqual(told, ['append', 'list']);
  end();
  bob.say('#', 'hi');
  await chat.done(Promise.resolve());
  assert.equal(told.length, 2);
});

test('history is read upward and downward until nothing is missing', async () => {
  const { chat, bob } = await talk(30);
  const late = await chat.enter('carol');
  const main = late.store.get('#');
  assert.ok(main);
  await chat.done(late.older('#', main.messages[0].id));
  assert.equal(await chat.done(late.around('#', chat.service.rows[0].id)), true);
  assert.equal(main.isGap(0), false);
  for (let turn = 0; turn < 10 && main.isGap(main.messages.length) === false; turn++) {
    const gap = main.messages.findIndex((_, index) => index > 0 && main.isGap(index));
    if (gap < 0) break;
    await chat.done(late.newer('#', main.messages[gap - 1].id));
  }
  assert.deepEqual(texts(late), chat.service.rows.map(({ message }) => message));
  assert.equal(await chat.done(late.older('#', main.messages[0].id)), 0);
  assert.equal(bob.store.get('#')?.messages.length, 30);
});

test('a conversation that is opened has its unread, and some before', async () => {
  const { socket, session } = await playIn({ unread: 100, read_id: 5, last_id: 3000 });
  assert.deepEqual(socket().sent.filter(({ command }) => command === 'history').map(({ limit }) => limit), [120]);
  socket().answer('history', { type: 'history', messages: [], more: false });
  socket().answer('since', { type: 'since', messages: [], more: false, time: TIME });
  session.open('@bob');
  assert.equal(socket().sent.at(-1).limit, 50);
  session.store.start(/** @type {any} */ (loginOk({ unread: 5000, last_id: 9000 })), 'all');
  session.open('#');
  assert.equal(socket().sent.at(-1).limit, 200);
});

test('what is loaded is not asked for again', async () => {
  const { chat, alice } = await talk(60);
  await chat.done(alice.open('@bob'));
  const link = [...chat.service.links][0];
  await alice.open('#');
  assert.deepEqual(link.inbox, []);
});

test('before the login it only says where to begin; a room that one is not in is refused', async () => {
  const { session, socket } = play();
  session.open('#ops');
  session.start();
  socket().say(HELLO);
  const entered = session.login('alice', 'securepassword', true);
  await settle();
  const ops = { room: 'ops', created: TIME, topic: '', private: false, members: 1, role: 'member' };
  socket().answer('login', loginOk({ rooms: [ops], last_id: 300 }));
  await entered;
  assert.equal(session.store.open, '#ops');
  assert.equal(socket().sent.find(({ command }) => command === 'history').room, 'ops');
  assert.match((await refusalOf(session.open('#unknown'))).text, /not in this room/);
  assert.equal(session.store.open, '#ops');
});

test('where the kept place is no room any more it begins in the main room', async () => {
  const { session, socket } = play();
  session.open('#gone');
  session.start();
  socket().say(HELLO);
  const entered = session.login('alice', 'securepassword', true);
  await settle();
  socket().answer('login', loginOk());
  await entered;
  assert.equal(session.store.open, '#');
});

test('a search gives messages with their conversations', async () => {
  const { session, socket } = await playIn();
  const found = session.search('deploy', { target: '@bob', before: 9 });
  const { ref: _, ...command } = socket().sent.at(-1);
  assert.deepEqual(command, { command: 'search', query: 'deploy', before: 9, with: 'bob' });
  const base = { time: TIME, from: 'bob', message: 'deploy' };
  const messages = [{ id: 8, to: 'alice', ...base }, { id: 5, room: 'ops', ...base }, { id: 2, ...base }];
  socket().answer('search', { type: 'search', query: 'deploy', messages, more: true });
  const { messages: rows, more } = await found;
  assert.deepEqual(rows.map(({ target }) => target), ['@bob', '#ops', '#']);
  assert.equal(more, true);
  assert.equal(session.store.get('#ops'), undefined); // nothing of it is taken in
});

test('a deleted message is empty for all', async () => {
  const { chat, alice, bob } = await talk(2);
  await chat.done(bob.remove(chat.service.rows[0].id));
  for (const session of [alice, bob]) assert.deepEqual(texts(session), ['', 'text 2']);
  assert.equal((await refusalOf(chat.done(alice.remove(chat.service.rows[1].id)))).code, 'unknown_message');
});

test('a talk begins with who is there, by the mapped name', async () => {
  const { session, socket } = await playIn();
  const begun = session.talkWith('Bob');
  socket().answer('history', { type: 'history', with: 'bob', messages: [], more: false });
  assert.equal(await begun, '@bob');
  const refused = refusalOf(session.talkWith('nobody'));
  socket().answer('history', { type: 'error', code: 'unknown_user', message: 'there is no user "nobody"' });
  assert.match((await refused).text, /no user "nobody"/);
  assert.equal(session.store.get('@nobody'), undefined);
});

test('where the numbers of who is online differ all are asked for, once', async () => {
  const { session, socket } = await playIn();
  const presence = { type: 'presence', arrived: ['bob'], left: [], time: TIME };
  socket().say({ ...presence, online: 2 });
  socket().say({ ...presence, online: 5 }, { ...presence, online: 5 });
  assert.equal(socket().sent.filter(({ command }) => command === 'users').length, 1);
  socket().answer('users', { type: 'users', users: ['alice', 'bob', 'carol', 'dave', 'erin'], time: TIME });
  assert.equal(session.store.online.size, 5);
  socket().say({ ...presence, online: 5 });
  assert.equal(socket().sent.filter(({ command }) => command === 'users').length, 1);
});

test('after a logout nothing is left of the chat, and another account begins anew', async () => {
  const { chat, alice } = await talk(3);
  const { store } = alice;
  await chat.done(alice.logout());
  assert.notEqual(alice.store, store);
  assert.deepEqual([alice.phase, alice.store.conversations(), alice.waiting], ['out', [], 0]);
  await chat.done(alice.login('carol', 'securepassword', true));
  assert.equal(alice.store.me, 'carol');
  assert.equal(texts(alice)?.length, 3);
  chat.tear(alice);
  await chat.back();
  assert.equal(alice.isCaughtUp, true);
});

test('a lost connection keeps what is shown, and says so', async () => {
  const { chat, alice, bob } = await talk(3);
  chat.tear(alice);
  assert.deepEqual([alice.phase, alice.link, alice.isCaughtUp], ['in', 'waiting', false]);
  assert.equal(texts(alice)?.length, 3);
  bob.say('#', 'meanwhile');
  await chat.back();
  assert.deepEqual([alice.link, alice.isCaughtUp, texts(alice)?.at(-1)], ['online', true, 'meanwhile']);
});

test('who looks at the end while the connection comes back has seen what came', async () => {
  const { chat, alice, bob } = await talk(1);
  alice.look(LOOKS);
  chat.tear(alice);
  bob.say('#', 'meanwhile');
  await chat.back();
  chat.clock.pass(300);
  await chat.done(Promise.resolve());
  assert.equal(alice.store.unread().messages, 0);
  assert.equal(chat.service.unreadOf('alice', '#'), 0);
});

test('a search in the main room is one of that room alone', async () => {
  const { session, socket } = await playIn();
  session.search('tea', { target: '#' }).catch(() => {});
  session.search('tea').catch(() => {});
  const [here, everywhere] = socket().sent.filter(({ command }) => command === 'search');
  assert.deepEqual([here.room, everywhere.room], ['all', undefined]);
});

test('a talk that was asked for by another form of a name is that of the account', async () => {
  const { session, socket } = await playIn();
  /** @type {any[]} */
  const told = [];
  session.subscribe((change) => change.kind === 'renamed' && told.push(change));
  const opened = session.open('@BOB');
  session.say('@BOB', 'hi');
  socket().answer('history', { type: 'history', with: 'bob', messages: [], more: false });
  await opened;
  assert.deepEqual([session.store.open, session.store.get('@BOB')], ['@bob', undefined]);
  assert.deepEqual(told, [{ kind: 'renamed', from: 'BOB', to: 'bob' }]);
  assert.deepEqual(session.store.get('@bob')?.pending.map(({ text }) => text), ['hi']);
  socket().answer('dm', { type: 'ack', command: 'dm', id: 3, time: TIME, to: 'bob', status: 'stored' });
  assert.deepEqual(session.store.get('@bob')?.messages.map(({ text }) => text), ['hi']);
});

test('whether there is somebody of a name is asked when it is opened first', async () => {
  const { session, socket } = await playIn();
  const opened = session.open('@nobody');
  socket().answer('history', { type: 'error', code: 'unknown_user', message: 'there is no user "nobody"' });
  await assert.rejects(opened, /no user/);
  assert.equal(session.store.get('@nobody')?.isLost, true);
});

test('whether there is somebody of a name is asked at the start, too', async () => {
  const { session, socket } = play();
  session.open('@nobody');
  session.start();
  socket().say(HELLO);
  session.login('alice', 'securepassword', true);
  await settle();
  socket().answer('login', loginOk());
  socket().answer('history', { type: 'error', code: 'unknown_user', message: 'there is no user "nobody"' });
  assert.equal(session.store.get('@nobody')?.isLost, true);
});
