import assert from 'node:assert/strict';
import { counted, refused, spanOf, words } from '../../service/listeners/web/page/words.js';

const error = (
  /** @type {string} */ code,
  /** @type {string} */ message,
  /** @type {object} */ rest = {},
) => /** @type {any} */ ({ type: 'error', code, message, ...rest });

Deno.test('an error is a sentence of the service, with what to do next', () => {
  const cases = [
    [
      error('unknown_room', 'there is no room "ops"'),
      'There is no room "ops". The list of rooms has those that you can join.',
    ],
    [error('unknown_user', 'there is no user "bob"'), 'There is no user "bob". Check the name.'],
    [
      error('not_allowed', 'you may not do that: it takes a higher rank'),
      'You may not do that: it takes a higher rank.',
    ],
    [error('muted', 'you are muted here', { retry_after: 61 }), 'You are muted here. It ends in 61 seconds.'],
    [
      error('rate_limited', 'too many; try again in 9 seconds', { retry_after: 9 }),
      'Too many; try again in 9 seconds.',
    ],
    [error('storage_unavailable', 'nothing was stored'), 'Nothing was stored. Try again in a while.'],
    [error('storage_unavailable', 'this may be done; look', { maybe: true }), 'This may be done; look.'],
    [error('something_new', 'later...'), 'Later.'],
    [error('toString', ''), ''],
  ];
  for (const [given, text] of cases) assert.equal(refused(given).text, text);
  assert.match(refused(error('nonce_reused', 'this nonce')).text, /send it anew/);
});

Deno.test('an error keeps its code and its time, and cannot steer the page', () => {
  const refusal = refused(error('banned', 'you are\u202E banned\nhere', { retry_after: 90 }));
  assert.deepEqual([refusal.code, refusal.retryAfter], ['banned', 90]);
  assert.equal(refusal.text, 'You are<U+202E> banned␊here. It ends in 2 minutes.');
});

Deno.test('spans are in the unit that a person would take', () => {
  const spans = [0.2, 1, 89, 90, 3599, 5400, 86_400, 129_600, 31_536_000].map(spanOf);
  const minutes = ['2 minutes', '60 minutes'];
  assert.deepEqual(spans, [
    '1 second',
    '1 second',
    '89 seconds',
    ...minutes,
    '2 hours',
    '24 hours',
    '2 days',
    '365 days',
  ]);
  assert.equal(counted(1200, 'message'), '1,200 messages');
});

Deno.test('each end of a session has its own word', () => {
  const texts = ['logout', 'password_changed', 'kicked', 'unknown'].map((reason) => words.dismissed(reason));
  assert.equal(new Set(texts).size, 4);
});
