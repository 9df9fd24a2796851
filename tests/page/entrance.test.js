import assert from 'node:assert/strict';
import { Memory } from '../../service/listeners/web/page/environment.js';
import { Session } from '../../service/listeners/web/page/session.js';
import { SHORT } from '../../service/listeners/web/page/vault.js';
import { loginOk, PASSWORD, play, playIn, refusalOf } from './chat.js';
import { Clock, environmentOf, HELLO, settle } from './fakes.js';

const test = Deno.test;
const error = (/** @type {string} */ code, message = 'no', rest = {}) => ({ type: 'error', code, message, ...rest });

test('the first visit connects to learn whose service it is, and logs nobody in', () => {
  const { session, socket } = play();
  session.start();
  assert.deepEqual([session.phase, session.link], ['out', 'connecting']);
  socket().say({ ...HELLO, contact: 'the operator' });
  assert.deepEqual([session.phase, session.link, session.hello?.contact], ['out', 'online', 'the operator']);
  assert.equal(socket().sent.length, 0);
});

test('a name is asked first, as the wire has it', async () => {
  const { session, socket } = play();
  session.start();
  socket().say(HELLO);
  const asked = session.askName('Alice');
  await settle();
  assert.deepEqual(socket().sent, [{ command: 'login', username: 'Alice', ref: '1' }]);
  socket().answer('login', { type: 'password_required', username: 'alice', registered: true });
  assert.deepEqual(await asked, { username: 'alice', registered: true });
});

test('a login asks for what the page can do, where the service has it', async () => {
  const { socket } = await playIn();
  const { ref: _, ...login } = socket().sent[0];
  const wishes = { confirm: true, rooms: true, presence: 'changes' };
  assert.deepEqual(login, { command: 'login', username: 'alice', password: PASSWORD, ...wishes });
});

test('who stays logged in has a long token in the browser, others one of twelve hours in the tab', async () => {
  for (const stays of [true, false]) {
    const { session, socket } = play();
    session.start();
    socket().say(HELLO);
    const entered = session.register('alice', PASSWORD, stays);
    await settle();
    assert.equal(socket().sent[0].lifetime, stays ? undefined : SHORT);
    socket().answer('register', loginOk({ token: 'secret' }));
    await entered;
    const { local, tab } = session.environment;
    assert.equal(local?.getItem('chat:token') !== null, stays);
    assert.equal(tab?.getItem('chat:token') !== null, !stays);
    assert.equal(session.memoryNote, '');
  }
});

test('over http to another machine the token is in memory alone, and it says so', async () => {
  const { session, socket, clock } = await playIn({}, { isSecure: false, local: null, tab: null });
  assert.equal(socket().sent[0].lifetime, SHORT);
  assert.match(session.memoryNote, /not encrypted/);
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  assert.deepEqual(socket().sent[0].token, 'token'); // it comes back by it, as long as the page is there
});

test('a kept token is tried at the start; the page is blank no longer than that takes', () => {
  const tab = new Memory();
  tab.setItem('chat:token', JSON.stringify({ name: 'alice', token: 'kept' }));
  const { session, socket } = play({ tab });
  session.start();
  assert.deepEqual([session.phase, session.account], ['entering', 'alice']);
  socket().say(HELLO);
  assert.equal(socket().sent[0].token, 'kept');
  assert.equal(session.link, 'connecting');
  socket().answer('resume', loginOk());
  assert.deepEqual([session.phase, session.link], ['in', 'online']);
});

test('a token that has ended is forgotten, and the user is asked', () => {
  const local = new Memory();
  local.setItem('chat:token', JSON.stringify({ name: 'alice', token: 'old' }));
  const { session, socket } = play({ local });
  session.start();
  socket().say(HELLO);
  socket().answer('resume', error('bad_token'));
  assert.deepEqual([session.phase, session.link], ['out', 'idle']);
  assert.match(session.notice, /Log in again/);
  assert.equal(local.length, 0);
});

test('who is banned meanwhile is told so; what may pass is tried again', async () => {
  const { session, socket, clock } = await playIn();
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', error('storage_unavailable', 'the database is busy'));
  assert.deepEqual([session.phase, session.link], ['in', 'waiting']);
  clock.pass(2000);
  socket().say(HELLO);
  socket().answer('resume', error('banned', 'you are banned here', { retry_after: 60 }));
  assert.deepEqual([session.phase, session.notice], ['out', 'You are banned here. It ends in 60 seconds.']);
});

test('where another tab has a newer token, that one is tried', async () => {
  const { session, socket, clock } = await playIn();
  session.environment.local?.setItem('chat:token', JSON.stringify({ name: 'alice', token: 'newer' }));
  socket().end();
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', error('bad_token'));
  assert.equal(socket().sent[1].token, 'newer');
  socket().answer('resume', loginOk());
  assert.equal(session.phase, 'in');
});

test('each refusal of a login is a word that says what to do, and nobody is in', async () => {
  const cases = [
    [error('bad_credentials', 'wrong name or password; try again'), /Wrong name or password; try again\./],
    [error('bad_credentials', 'this account is disabled; ask root'), /disabled; ask root/],
    [error('rate_limited', 'too many logins; try again in 30 seconds', { retry_after: 30 }), /in 30 seconds\.$/],
    [error('banned', 'you are banned here', { retry_after: 7200 }), /It ends in 2 hours\./],
    [{ type: 'password_required', username: 'alice', registered: false }, /no account "alice"/],
  ];
  for (const [reply, words] of cases) {
    const { session, socket } = play();
    session.start();
    socket().say(HELLO);
    const entered = refusalOf(session.login('alice', PASSWORD, true));
    await settle();
    socket().answer('login', /** @type {object} */ (reply));
    const refusal = await entered;
    assert.match(refusal.text, /** @type {RegExp} */ (words));
    assert.ok(!refusal.text.includes(PASSWORD));
    assert.equal(session.phase, 'out');
  }
});

test('a closed registration says whom to ask', async () => {
  const { session, socket } = play();
  session.start();
  socket().say({ ...HELLO, registration: 'closed', contact: 'root@chat.example' });
  const entered = refusalOf(session.register('alice', PASSWORD, true));
  await settle();
  socket().answer('register', error('registration_closed', 'new names cannot register here; ask the operator'));
  assert.match((await entered).text, /root@chat\.example/);
});

test('who takes long to type is not disconnected from the page: it connects again when asked', async () => {
  const { session, socket, sockets, clock } = play();
  session.start();
  socket().say(HELLO);
  socket().say(error('login_timeout', 'no login', { fatal: true }), { type: 'bye', reason: 'kicked' });
  clock.pass(1_000_000);
  assert.deepEqual([session.phase, session.link, session.notice, sockets.length], ['out', 'idle', '', 1]);
  const asked = session.askName('alice');
  socket().say(HELLO);
  await settle();
  socket().answer('login', { type: 'password_required', username: 'alice', registered: true });
  assert.equal((await asked).registered, true);
});

test('a service that cannot be reached is said at once to who wants to log in', async () => {
  const { session, socket } = play();
  session.start();
  socket().say(HELLO);
  socket().end();
  const asked = refusalOf(session.askName('alice'));
  socket().end();
  assert.match((await asked).text, /cannot be reached/);
});

test('before the first hello it goes on trying', () => {
  const { session, socket, sockets, clock } = play();
  session.start();
  socket().end();
  clock.pass(1000);
  assert.equal(sockets.length, 2);
});

test('after shutdown, slow and passing errors it comes back; after the others users are asked', async () => {
  const cases = [
    ['shutdown', '', 'in'],
    ['slow', '', 'in'],
    ['something new', '', 'in'],
    ['kicked', 'too_many_connections', 'in'],
    ['kicked', 'internal', 'in'],
    ['kicked', '', 'out'],
    ['logout', '', 'out'],
    ['password_changed', '', 'out'],
  ];
  for (const [reason, code, phase] of cases) {
    const { session, socket, sockets, clock } = await playIn();
    if (code) socket().say(error(code, 'no', { fatal: true }));
    socket().say({ type: 'bye', reason });
    clock.pass(1000);
    assert.deepEqual([session.phase, sockets.length], [phase, phase === 'in' ? 2 : 1], reason);
    assert.equal(session.notice !== '', phase === 'out');
    const kept = session.environment.local?.getItem('chat:token');
    assert.equal(kept !== null, phase === 'in' || reason === 'kicked');
  }
});

test('a logout ends the token at the service and leaves nothing in the browser', async () => {
  const { session, socket } = await playIn();
  session.keep?.set('draft', 'half a word');
  session.say('#', 'waits');
  const left = session.logout();
  assert.equal(socket().sent.at(-1).command, 'logout');
  socket().answer('logout', { type: 'bye', reason: 'logout' });
  await left;
  assert.deepEqual([session.phase, session.link, session.notice], ['out', 'idle', '']);
  assert.equal(session.environment.local?.length, 0);
  assert.equal(session.keep, null);
});

test('a logout without a connection says that the service could not be told', async () => {
  const { session, socket } = await playIn();
  socket().end();
  await session.logout();
  assert.equal(session.phase, 'out');
  assert.match(session.notice, /change your password/);
  assert.equal(session.environment.local?.length, 0);
});

test('a new password goes on with a new token, by a login of its own', async () => {
  const { session, socket, sockets } = await playIn();
  const changed = session.changePassword(PASSWORD, 'another-password');
  socket().answer('password', { type: 'ack', command: 'password' });
  await changed;
  assert.equal(sockets.length, 2);
  socket().say(HELLO);
  assert.deepEqual([socket().sent[0].command, socket().sent[0].password], ['login', 'another-password']);
  socket().answer('login', loginOk({ token: 'fresh' }));
  assert.deepEqual([session.phase, session.token, session.next], ['in', 'fresh', null]);
  assert.match(session.environment.local?.getItem('chat:token') ?? '', /fresh/);
});

test('a refused new password leaves all as it was', async () => {
  const { session, socket, sockets } = await playIn();
  const changed = refusalOf(session.changePassword('wrong', 'another-password'));
  socket().answer('password', error('bad_credentials', 'wrong name or password; try again'));
  assert.match((await changed).text, /Wrong/);
  assert.deepEqual([session.phase, session.link, sockets.length], ['in', 'online', 1]);
});

test('who logs in after somebody else takes nothing of theirs along', async () => {
  const { session, socket } = await playIn();
  session.keep?.set('draft', 'of alice');
  socket().say({ type: 'bye', reason: 'kicked' });
  assert.deepEqual([session.account, session.token], ['', '']);
  const entered = session.login('carol', PASSWORD, true);
  socket().say(HELLO);
  await settle();
  socket().answer('login', loginOk({ username: 'carol', token: 'hers' }));
  await entered;
  assert.equal(session.keep?.get('draft'), null);
  assert.equal(session.vault.drawer('alice').get('draft'), 'of alice');
});

test('an account that was renamed takes along what is kept of it', async () => {
  const { session, socket, clock } = await playIn();
  session.keep?.set('draft', 'half a word');
  socket().say({ type: 'bye', reason: 'shutdown' });
  clock.pass(1000);
  socket().say(HELLO);
  socket().answer('resume', loginOk({ username: 'alicia' }));
  assert.deepEqual([session.account, session.store.me], ['alicia', 'alicia']);
  assert.equal(session.keep?.get('draft'), 'half a word');
});

test('when the browser says that the network is back, or is looked at again, it does not wait', () => {
  const changes = /** @type {(() => void)[]} */ ([]);
  const { session, socket, sockets } = play({ onChange: (then) => changes.push(then) });
  session.start();
  socket().end();
  for (const then of changes) then();
  assert.equal(sockets.length, 2);
});

test('another version of the service is told, and left alone', () => {
  const { session, socket, sockets, clock } = play();
  session.start();
  socket().say({ ...HELLO, protocol: 2 });
  clock.pass(1_000_000);
  assert.match(session.notice, /Reload the page/);
  assert.equal(sockets.length, 1);
});

test('what is asked without a connection is refused in words', async () => {
  const { session, socket, clock } = await playIn();
  socket().end();
  assert.match((await refusalOf(session.rooms())).text, /no connection/);
  clock.pass(1000);
  socket().say(HELLO); // it is connected, and not logged in
  assert.equal(session.link, 'connecting');
  assert.match((await refusalOf(session.rooms())).text, /no connection/);
  assert.deepEqual(socket().sent.map(({ command }) => command), ['resume']);
});

test('a browser that lets the page keep nothing says so', () => {
  const session = new Session(
    environmentOf(() => ({ onmessage: null, onclose: null, send() {}, close() {} }), play().clock, {
      local: null,
      tab: null,
    }),
  );
  assert.match(session.memoryNote, /keeps nothing/);
});

test('who leaves on a dead connection is out after some seconds, and told that the service does not know', async () => {
  const { session, clock } = await playIn();
  const left = session.logout();
  clock.pass(5000);
  await left;
  assert.equal(session.phase, 'out');
  assert.match(session.notice, /could not be told/);
});

test('a service that cannot end a token is no reason to say that it has', async () => {
  const { session, socket } = await playIn();
  const left = session.logout();
  socket().answer('logout', { type: 'error', code: 'storage_unavailable', message: 'nothing was stored' });
  await left;
  assert.match(session.notice, /could not be told/);
});

test('the time of the service is known on a machine whose clock is wrong', async () => {
  const { session, clock } = await playIn({ time: new Date(new Clock().time + 300_000).toISOString() });
  clock.pass(1000);
  assert.equal(session.serviceNow - clock.now(), 300_000);
});
