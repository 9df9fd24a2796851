import assert from 'node:assert/strict';
import { colour, countOf, excerpt, oneLine, pieces, safe } from '../../service/listeners/web/page/text.js';

const test = Deno.test;

test('an ordinary text is one piece, as it came', () => {
  assert.deepEqual(pieces('hi, all\nof you'), [{ type: 'text', text: 'hi, all\nof you' }]);
  assert.deepEqual(pieces(''), []);
});

test('what steers the text around it is made visible', () => {
  const cases = [
    ['a\u202Eb', 'a<U+202E>b'],
    ['\u2066x\u2069', '<U+2066>x<U+2069>'],
    ['a\u2028b', 'a<U+2028>b'],
    ['\u001B[2J', '\u241B[2J'],
    ['a\u0085b', 'a<U+0085>b'],
    ['a\rb\r\nc', 'a\u240Db\nc'],
    ['half \uD800', 'half <U+D800>'],
    ['hid\u{E0041}den', 'hidden'],
  ];
  for (const [text, shown] of cases) assert.equal(safe(text), shown);
});

test('emoji and scripts keep their joiners', () => {
  for (const text of ['👩‍👩‍👧‍👦 ok', 'می‌خواهم', '❤️ x', 'שלום עולם']) assert.equal(safe(text), text);
});

test('piles of marks and of joiners are cut, with their number', () => {
  assert.equal(safe(`a${'\u0301'.repeat(8)}`), `a${'\u0301'.repeat(8)}`);
  assert.equal(safe(`a${'\u0301'.repeat(9)}b`), `a${'\u0301'.repeat(8)}<1 marks>b`);
  assert.equal(safe(`a${'\u200D'.repeat(4000)}`), `a${'\u200D'.repeat(8)}<3992 marks>`);
});

test('a text that shows nothing is made visible', () => {
  assert.equal(safe('\u200B\u2060'), '<U+200B><U+2060>');
  assert.equal(safe('\u3164'), '<U+3164>');
});

test('one line has nothing invisible and no end, and is cut', () => {
  assert.equal(oneLine('a\u200Bb\nc\td'), 'a<U+200B>b␊c␉d');
  assert.equal(oneLine('x'.repeat(1000)).length, 1000);
  assert.equal(oneLine('x'.repeat(1001)), `${'x'.repeat(1000)}…`);
  assert.equal(excerpt('one\n\n two  three', 9), 'one two t…');
});

test('links are http and https alone, without the sentence round them', () => {
  const cases = [
    ['see https://chat.example/a_(b).', 'https://chat.example/a_(b)'],
    ['(http://chat.example/x)', 'http://chat.example/x'],
    ['https://chat.example/?q=1&r=2#top!', 'https://chat.example/?q=1&r=2#top'],
    ['HTTPS://CHAT.example', 'HTTPS://CHAT.example'],
  ];
  for (const [text, link] of cases) {
    const found = pieces(text).filter((piece) => piece.type === 'link');
    assert.deepEqual(found.map((piece) => piece.text), [link]);
    assert.match(found[0].href ?? '', /^https?:\/\//);
  }
});

test('what could run, or go elsewhere than it says, is no link', () => {
  const texts = [
    'javascript:alert(1)',
    'data:text/html,x',
    'ftp://chat.example',
    'https://bank.example@evil.example/',
    'http://',
    'https://[',
    'xhttps://chat.example',
    'file:///etc/passwd',
  ];
  for (const text of texts) assert.deepEqual(pieces(text), [{ type: 'text', text }]);
  const [link, rest] = pieces('https://good.example/\u202Emoc.live');
  assert.equal(link.href, 'https://good.example/');
  assert.equal(rest.text, '<U+202E>moc.live');
});

test('code is shown as it is: no links, no mentions', () => {
  assert.deepEqual(pieces('run `https://x alice` now', 'alice'), [
    { type: 'text', text: 'run ' },
    { type: 'code', text: 'https://x alice' },
    { type: 'text', text: ' now' },
  ]);
  assert.deepEqual(pieces('see\n```\na `b`\n  c\n```\nend'), [
    { type: 'text', text: 'see\n' },
    { type: 'block', text: 'a `b`\n  c' },
    { type: 'text', text: 'end' },
  ]);
  assert.deepEqual(pieces('`open and ```'), [{ type: 'text', text: '`open and ```' }]);
});

test('a mention is the name as a word, in any case', () => {
  const mentioned = (/** @type {string} */ text, /** @type {string} */ me) =>
    pieces(text, me).filter((piece) => piece.type === 'mention').map((piece) => piece.text);
  assert.deepEqual(mentioned('Alice: alice, malice alice_ alicé', 'alice'), ['Alice', 'alice']);
  assert.deepEqual(mentioned('ask O.B-1 or oxb-1', 'o.b-1'), ['O.B-1']);
  assert.deepEqual(mentioned('straße', 'straße'), ['straße']);
});

test('nothing of a text is lost between the pieces, however hostile', () => {
  const bare = 'a `b` https://c.example, ```d``` alice ``` ` https://';
  const repeated = ['x', '`', '```', 'https://', 'https://x/).', '(', '\u0301', '\u200D', 'alice', '. ', ')'];
  const long = repeated.map((text) => `https://x.example/${text.repeat(4096 / text.length)}`);
  const marks = { code: '`', block: '```', text: '', link: '', mention: '' };
  for (const text of [bare, ...long]) {
    const joined = pieces(text, 'alice').map((piece) => `${marks[piece.type]}${piece.text}${marks[piece.type]}`);
    assert.equal(joined.join(''), safe(text));
  }
});

test('characters are counted as the service does, and a colour stays', () => {
  assert.equal(countOf('a👍é'), 3);
  assert.equal(colour('alice'), colour('alice'));
  assert.deepEqual([...'abcdefgh'].map(colour).every((number) => number >= 0 && number < 8), true);
});
