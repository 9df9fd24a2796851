import assert from 'node:assert/strict';
import { Memory } from '../../service/listeners/web/page/environment.js';
import { MOST, Talks } from '../../service/listeners/web/page/talks.js';
import { loginOk, play, playIn, refusalOf, TIME } from './chat.js';
import { HELLO } from './fakes.js';

const test = Deno.test;

function makeDrawer() {
  const area = new Memory();
  return {
    get: (/** @type {string} */ key) => area.getItem(key),
    set: (/** @type {string} */ key, /** @type {string} */ value) => area.setItem(key, value),
    remove: (/** @type {string} */ key) => area.removeItem(key),
  };
}

test('names are kept in the order in which they were met, each once, also those of other tabs', () => {
  const drawer = makeDrawer();
  const [one, other] = [new Talks(drawer), new Talks(drawer)];
  for (const name of ['bob', 'carol', 'bob']) one.add(name);
  other.add('dave');
  other.remove('carol');
  assert.deepEqual(one.names, ['bob', 'dave']);
});

test('so many are kept, and what is no list of names is none', () => {
  const drawer = makeDrawer();
  const talks = new Talks(drawer);
  for (let number = 0; number <= MOST; number++) talks.add(`name${number}`);
  assert.equal(talks.names.length, MOST);
  assert.deepEqual([talks.names[0], talks.names[MOST - 1]], ['name1', `name${MOST}`]);
  for (const text of ['x', '{}', 'null', '7']) {
    drawer.set('talks', text);
    assert.deepEqual(new Talks(drawer).names, []);
  }
  drawer.set('talks', '["bob", 7, null]');
  assert.deepEqual(new Talks(drawer).names, ['bob']);
});

test('a talk is in the list at the next visit, under the present name', async () => {
  const local = new Memory();
  const { session, socket } = await playIn({}, { local });
  const direct = (/** @type {number} */ id, /** @type {string} */ from) => ({
    type: 'direct',
    id,
    time: TIME,
    from,
    to: 'alice',
    message: 'hi',
  });
  socket().say(direct(1, 'bob'), direct(2, 'carol'), { type: 'renamed', from: 'bob', to: 'bobby', time: TIME });
  session.open('@nobody'); // nothing was said there
  const { session: again, socket: other } = play({ local });
  again.start();
  other().say(HELLO);
  other().answer('resume', loginOk({ last_id: 100_000 }));
  assert.deepEqual(again.store.conversations().map(({ target }) => target), ['#', '@bobby', '@carol']);
});

test('a talk with nobody any more is forgotten', async () => {
  const { session, socket } = await playIn();
  socket().say({ type: 'direct', id: 1, time: TIME, from: 'bob', to: 'alice', message: 'hi' });
  const older = refusalOf(session.older('@bob', 1));
  socket().answer('history', { type: 'error', code: 'unknown_user', message: 'there is no user "bob"' });
  assert.equal((await older).code, 'unknown_user');
  assert.equal(session.store.get('@bob'), undefined);
  assert.deepEqual(session.talks?.names, []);
});

test('somebody whose message was missed is in the list at the next visit, too', async () => {
  const { session, socket } = await playIn({ missed: 1, last_id: 5000 });
  const row = { id: 3, time: TIME, from: 'carol', to: 'alice', message: 'hi' };
  socket().answer('missed', { type: 'missed', messages: [row], more: false });
  assert.deepEqual(session.talks?.names, ['carol']);
});
