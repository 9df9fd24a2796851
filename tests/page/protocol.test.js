import assert from 'node:assert/strict';
import { decode, isKnown, withWishes } from '../../service/listeners/web/page/protocol.js';

const ALL = ['delete', 'kind', 'presence', 'quiet', 'rooms', 'since'];

Deno.test('a line is an event if it is an object with a type', () => {
  assert.deepEqual(decode('{"type":"pong","time":"now"}'), { type: 'pong', time: 'now' });
  for (const line of ['', ' ', 'x', '[]', 'null', '7', '"type"', '{"type":7}', '{}', '{"type":"a"']) {
    assert.equal(decode(line), null, line);
  }
});

Deno.test('what belongs to a feature goes to no service without it: a text for a room would be said to everyone', () => {
  /** @type {[import('../../service/listeners/web/page/protocol.js').Command, string[]][]} */
  const cases = [
    [{ command: 'pm', message: 'x' }, []],
    [{ command: 'pm', room: 'ops', message: 'x' }, ['rooms']],
    [{ command: 'pm', message: 'waves', kind: 'action' }, ['kind']],
    [{ command: 'dm', to: 'bob', message: 'waves', kind: 'action' }, ['kind']],
    [{ command: 'history', room: 'ops' }, ['rooms']],
    [{ command: 'search', query: 'x', room: 'ops' }, ['rooms']],
    [{ command: 'history', with: 'bob' }, []],
    [{ command: 'seen', id: 1 }, []],
    [{ command: 'seen', id: 1, room: 'all' }, ['rooms']],
    [{ command: 'seen', id: 1, with: 'bob' }, ['rooms']],
    [{ command: 'since', id: 1 }, ['since']],
    [{ command: 'delete', id: 1 }, ['delete']],
    [{ command: 'rooms' }, ['rooms']],
    [{ command: 'create', room: 'ops' }, ['rooms']],
    [{ command: 'join', room: 'ops' }, ['rooms']],
    [{ command: 'leave', room: 'ops' }, ['rooms']],
    [{ command: 'members', room: 'ops' }, ['rooms']],
    [{ command: 'set_room', room: 'ops', topic: '' }, ['rooms']],
    [{ command: 'moderate', room: 'ops', username: 'bob', action: 'kick' }, ['rooms']],
    [{ command: 'bans', room: 'ops' }, ['rooms']],
    [{ command: 'logout' }, ['rooms']],
    [{ command: 'missed' }, []],
  ];
  for (const [command, needed] of cases) {
    assert.equal(isKnown(command, ALL), true);
    assert.equal(isKnown(command, []), needed.length === 0, command.command);
    assert.equal(isKnown(command, ALL.filter((name) => !needed.includes(name))), needed.length === 0, command.command);
  }
});

Deno.test('a login asks for what the service has, and confirms what it shows', () => {
  const entry = /** @type {const} */ ({ command: 'resume', token: 't' });
  assert.deepEqual(withWishes(entry, ALL), { ...entry, confirm: true, rooms: true, presence: 'changes' });
  assert.deepEqual(withWishes(entry, []), { ...entry, confirm: true });
});
