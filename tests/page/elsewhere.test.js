import assert from 'node:assert/strict';
import { MAIN, Store } from '../../service/listeners/web/page/store.js';
import { loginOk, TIME } from './chat.js';

const test = Deno.test;
const OPS = {
  room: 'ops',
  created: TIME,
  topic: '',
  private: false,
  members: 2,
  role: 'member',
  read_id: 0,
  unread: 0,
};

/** Two unread messages in each of four conversations: ids 1 and 5, 2 and 6, 3 and 7, 4 and 8. */
function setUp() {
  /** @type {any[]} */
  const told = [];
  const store = new Store((change) => told.push(change));
  store.start(/** @type {any} */ (loginOk({ rooms: [OPS], users: ['alice', 'bob'] })), 'all');
  for (const first of [1, 5]) {
    const base = { time: TIME, message: 'alice?' };
    store.take({ type: 'broadcast', id: first, from: 'bob', ...base });
    store.take({ type: 'broadcast', id: first + 1, from: 'bob', room: 'ops', ...base });
    store.take({ type: 'direct', id: first + 2, from: 'bob', to: 'alice', ...base });
    store.take({ type: 'direct', id: first + 3, from: 'carol', to: 'alice', ...base });
  }
  told.length = 0;
  const unread = () => [MAIN, '#ops', '@bob', '@carol'].map((target) => store.get(target)?.unread);
  return { store, told, unread };
}

test('what another session has shown is read here, and no more than that', () => {
  const cases = [
    [{ id: 8 }, [0, 2, 0, 0]],
    [{ id: 6 }, [0, 2, 1, 1]],
    [{ id: 8, room: 'ops' }, [2, 0, 2, 2]],
    [{ id: 2, room: 'ops' }, [2, 1, 2, 2]],
    [{ id: 8, room: 'all' }, [0, 2, 2, 2]],
    [{ id: 3, with: 'bob' }, [2, 2, 1, 2]],
    [{ ids: [7, 4, 99] }, [2, 2, 1, 1]],
    [{ id: 8, room: 'unknown' }, [2, 2, 2, 2]],
    [{}, [2, 2, 2, 2]],
  ];
  for (const [event, left] of cases) {
    const { store, told, unread } = setUp();
    store.take({ type: 'read', .../** @type {object} */ (event) });
    assert.deepEqual(unread(), left, JSON.stringify(event));
    assert.deepEqual(told, [{ kind: 'list' }]);
  }
});

test('an id beyond the newest makes nothing read that comes later', () => {
  const { store, unread } = setUp();
  store.take({ type: 'read', id: 9e15 });
  store.take({ type: 'direct', id: 9, from: 'bob', to: 'alice', time: TIME, message: 'hi' });
  store.take({ type: 'broadcast', id: 10, from: 'bob', time: TIME, message: 'hi' });
  assert.deepEqual(unread(), [1, 2, 1, 0]);
});

test('a note to oneself is read by another session, too', () => {
  const { store } = setUp();
  store.begin('@alice');
  store.sent({ type: 'ack', command: 'dm', id: 9, time: TIME, to: 'alice' }, {
    target: '@alice',
    created: '',
    text: 'milk',
    kind: '',
  });
  assert.equal(store.get('@alice')?.unread, 1);
  store.take({ type: 'read', with: 'alice', id: 9 });
  assert.equal(store.get('@alice')?.unread, 0);
});

test('a new name takes the talk, its messages and the place online along', () => {
  const { store, told } = setUp();
  store.open = '@bob';
  store.take({ type: 'renamed', from: 'bob', to: 'bobby', time: TIME });
  assert.equal(store.get('@bob'), undefined);
  const talk = store.get('@bobby');
  assert.deepEqual([talk?.name, talk?.unread, talk?.messages[0].from], ['bobby', 2, 'bobby']);
  assert.equal(store.get(MAIN)?.messages[0].from, 'bobby');
  assert.deepEqual([store.open, store.isOnline('bobby'), store.isOnline('bob')], ['@bobby', true, false]);
  assert.ok(told.some(({ kind, from, to }) => kind === 'renamed' && from === 'bob' && to === 'bobby'));
});

test('a name that has a talk already keeps it', () => {
  const { store } = setUp();
  store.take({ type: 'renamed', from: 'bob', to: 'carol', time: TIME });
  assert.equal(store.get('@bob')?.name, 'bob');
  assert.equal(store.get('@carol')?.name, 'carol');
});

test('the own new name is that of mentions from then on', () => {
  const { store } = setUp();
  store.take({ type: 'renamed', from: 'alice', to: 'alicia', time: TIME });
  store.take({ type: 'broadcast', id: 20, from: 'bob', time: TIME, message: 'alicia?' });
  assert.deepEqual([store.me, store.get(MAIN)?.messages.at(-1)?.mentions], ['alicia', true]);
});

test('a note to oneself that is read elsewhere is read here, though it came by an ack', () => {
  const { store } = setUp();
  store.begin('@alice');
  const ack = /** @type {const} */ ({ type: 'ack', command: 'dm', id: 30, time: TIME, to: 'alice' });
  store.sent(ack, { target: '@alice', text: 'milk', kind: '' });
  assert.equal(store.get('@alice')?.unread, 1);
  store.take({ type: 'read', with: 'alice', id: 30 });
  assert.equal(store.get('@alice')?.unread, 0);
});
