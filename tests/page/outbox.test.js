import assert from 'node:assert/strict';
import { Memory } from '../../service/listeners/web/page/environment.js';
import { MOST, Outbox } from '../../service/listeners/web/page/outbox.js';
import { chance, Clock } from './fakes.js';

const clock = new Clock();
const random = chance(3);
const environment = { now: () => clock.now(), digits: () => random().toString(36).slice(2) };
const open = (/** @type {Memory} */ area, account = 'alice') => new Outbox(area, account, environment);
const text = (/** @type {string} */ words) => ({ target: '#', created: '', text: words, kind: '' });
const texts = (/** @type {Outbox} */ outbox) => outbox.all.map((entry) => entry.text);

Deno.test('texts are there after a reload, in their order, each with its nonce', () => {
  const area = new Memory();
  const outbox = open(area);
  for (let number = 0; number < 30; number++) outbox.add(text(`text ${number}`)); // within one ms
  const again = open(area);
  assert.deepEqual(again.all, outbox.all);
  assert.deepEqual(texts(again), Array.from({ length: 30 }, (_, number) => `text ${number}`));
  assert.ok(outbox.all.every(({ nonce }) => nonce.length <= 64));
});

Deno.test('an acked text is gone, for good', () => {
  const area = new Memory();
  const outbox = open(area);
  outbox.add(text('one'));
  outbox.remove(outbox.all[0].nonce);
  assert.deepEqual(texts(outbox), []);
  assert.deepEqual(texts(open(area)), []);
});

Deno.test('each account has its own', () => {
  const area = new Memory();
  open(area).add(text('of alice'));
  open(area, 'alice:bob').add(text('of another'));
  assert.deepEqual(texts(open(area)), ['of alice']);
  assert.deepEqual(texts(open(area, 'bob')), []);
});

Deno.test('two tabs lose none of one another, and hear of each change', () => {
  const area = new Memory();
  const [one, other] = [open(area), open(area)];
  one.add(text('by one'));
  other.add(text('by the other'));
  assert.deepEqual(texts(open(area)), ['by one', 'by the other']);
  const { nonce } = one.all[0];
  const key = [...area.all.keys()].find((name) => name.endsWith(nonce)) ?? null;
  assert.equal(other.hear(key, area.getItem(key ?? '')), '#');
  assert.deepEqual(texts(other), ['by one', 'by the other']);
  assert.equal(other.hear(key, null), '#');
  assert.deepEqual(texts(other), ['by the other']);
  assert.equal(other.hear('something', 'else'), '');
  assert.equal(other.hear(null, null), '');
});

Deno.test('a refused text waits no more, until it is sent again', () => {
  const outbox = open(new Memory());
  outbox.add({ ...text('to ops'), target: '#ops', created: 'then' });
  const { nonce } = outbox.all[0];
  outbox.fail(nonce, 'You are no member.');
  assert.equal(outbox.waiting.length, 0);
  assert.equal(outbox.of('#ops')[0].error, 'You are no member.');
  outbox.again(nonce, 'now');
  assert.deepEqual(outbox.waiting.map((entry) => [entry.created, entry.error]), [['now', '']]);
});

Deno.test('so many may wait, and not one more', () => {
  const outbox = open(new Memory());
  for (let number = 0; number < MOST; number++) assert.equal(outbox.add(text('x')), null);
  assert.match(outbox.add(text('x'))?.text ?? '', /Too many/);
  assert.equal(outbox.all.length, MOST);
});

Deno.test('what is no entry is thrown away, and a full storage keeps nothing from being sent', () => {
  const area = new Memory();
  area.setItem('chat:outbox:alice:1', 'no json');
  area.setItem('chat:outbox:alice:2', '{"nonce":"3"}');
  area.setItem('chat:outbox:alice:4', JSON.stringify({ nonce: 4 }));
  const outbox = open(area);
  assert.deepEqual([outbox.all, area.length], [[], 0]);
  area.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  assert.equal(outbox.add(text('kept by the page')), null);
  assert.deepEqual(texts(outbox), ['kept by the page']);
});

Deno.test('a talk that has another name takes its texts along', () => {
  const area = new Memory();
  const outbox = open(area);
  outbox.add({ ...text('hi'), target: '@bob' });
  outbox.rename('@bob', '@bobby');
  assert.equal(open(area).all[0].target, '@bobby');
});

Deno.test('an account that was renamed goes on with its texts, and with those that the storage did not hold', () => {
  const area = new Memory();
  const outbox = open(area);
  outbox.add(text('held'));
  area.removeItem([...area.all.keys()][0]);
  outbox.moveTo('alicia');
  outbox.add(text('new'));
  assert.deepEqual(texts(open(area, 'alicia')), ['held', 'new']);
  assert.equal(area.length, 2);
});

Deno.test('what is written after the clock was set back comes behind what waits from before', () => {
  const area = new Memory();
  open(area).add(text('one'));
  const later = new Outbox(area, 'alice', { ...environment, now: () => clock.now() - 3600_000 });
  later.add(text('two'));
  assert.deepEqual(texts(later), ['one', 'two']);
});
