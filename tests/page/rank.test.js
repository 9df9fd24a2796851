import assert from 'node:assert/strict';
import { Conversation } from '../../service/listeners/web/page/conversation.js';
import { may, mayDelete, rankIn } from '../../service/listeners/web/page/rank.js';
import { Spans } from '../../service/listeners/web/page/spans.js';

const make = (/** @type {string} */ target, /** @type {Partial<Conversation>} */ rest = {}) =>
  Object.assign(new Conversation(target, new Spans()), rest);

Deno.test('in a public room the rank is the higher one of there and the main room; in a private one that of there', () => {
  const cases = [
    ['#', 'moderator', false, 'moderator', 'moderator'],
    ['#ops', 'member', false, 'member', 'member'],
    ['#ops', 'member', false, 'owner', 'owner'],
    ['#ops', 'owner', false, 'moderator', 'owner'],
    ['#ops', '', false, 'moderator', 'moderator'],
    ['#ops', '', false, 'member', 'none'],
    ['#ops', 'member', true, 'owner', 'member'],
    ['#ops', '', true, 'owner', 'none'],
    ['@bob', '', false, 'owner', 'none'],
  ];
  for (
    const [target, role, isPrivate, mainRole, rank]
      of /** @type {[string, string, boolean, string, string][]} */ (cases)
  ) {
    assert.equal(rankIn(make(target, { role, isPrivate }), mainRole), rank, `${target} ${role} ${mainRole}`);
  }
});

Deno.test('what is offered is what the rank allows', () => {
  const deeds = /** @type {const} */ (['topic', 'invite', 'kick', 'mute', 'ban', 'bans', 'role', 'private', 'leave']);
  const allowed = {
    none: [],
    member: ['invite', 'leave'],
    moderator: ['topic', 'invite', 'kick', 'mute', 'ban', 'bans', 'leave'],
    owner: [...deeds],
  };
  for (const [rank, expected] of Object.entries(allowed)) {
    const room = make('#ops', { role: rank === 'none' ? '' : 'member' });
    const offered = deeds.filter((deed) => may(room, /** @type {any} */ (rank), deed));
    assert.deepEqual(offered, expected, rank);
  }
});

Deno.test('nobody acts on who ranks as high, and owners make no owner of an owner', () => {
  const room = make('#ops', { role: 'moderator' });
  assert.equal(may(room, 'moderator', 'kick', 'moderator'), false);
  assert.equal(may(room, 'owner', 'kick', 'moderator'), true);
  assert.equal(may(room, 'owner', 'ban', 'owner'), false);
  assert.equal(may(room, 'owner', 'role', 'owner'), false);
  assert.equal(may(room, 'owner', 'role', 'moderator'), true);
});

Deno.test('the main room is neither left nor made private, and nobody is invited to it', () => {
  const main = make('#', { role: 'owner' });
  for (const deed of /** @type {const} */ (['leave', 'private', 'invite'])) {
    assert.equal(may(main, 'owner', deed), false);
  }
  assert.equal(may(make('#ops', { isPrivate: true, role: 'owner' }), 'owner', 'private'), false);
});

Deno.test('members invite to a public room, moderators to a private one', () => {
  const hidden = make('#ops', { isPrivate: true, role: 'member' });
  assert.equal(may(hidden, 'member', 'invite'), false);
  assert.equal(may(hidden, 'moderator', 'invite'), true);
});

Deno.test('who is only invited, or no member any more, does not write', () => {
  assert.equal(may(make('#'), 'member', 'write'), true);
  assert.equal(may(make('@bob'), 'none', 'write'), true);
  assert.equal(may(make('#ops', { role: 'member' }), 'member', 'write'), true);
  assert.equal(may(make('#ops', { isInvited: true }), 'moderator', 'write'), false);
  assert.equal(may(make('#ops', { isLost: true }), 'none', 'write'), false);
});

Deno.test('one deletes what one wrote, and what lower ones wrote', () => {
  const message = (/** @type {object} */ rest) => ({
    id: 1,
    time: '',
    from: 'bob',
    text: 'x',
    kind: '',
    deleted: '',
    own: false,
    mentions: false,
    status: '',
    ...rest,
  });
  assert.equal(mayDelete('none', message({ own: true })), true);
  assert.equal(mayDelete('owner', message({ own: true, deleted: 'then' })), false);
  assert.equal(mayDelete('member', message({})), false);
  assert.equal(mayDelete('moderator', message({})), true);
  assert.equal(mayDelete('moderator', message({}), 'moderator'), false);
});
