import assert from 'node:assert/strict';
import { CONNECTING, PATIENCE, SHORT_PATIENCE, SILENCE, Wire } from '../../service/listeners/web/page/wire.js';
import { Clock, environmentOf, HELLO, PlayedSocket } from './fakes.js';

/** A wire, with the sockets that it has made, and what its owner was told. */
function setUp() {
  const clock = new Clock();
  /** @type {PlayedSocket[]} */
  const sockets = [];
  /** @type {any[]} */
  const told = [];
  const environment = environmentOf(
    () => {
      sockets.push(new PlayedSocket());
      return sockets[sockets.length - 1];
    },
    clock,
    { random: () => 1 },
  );
  /** @type {string[]} */
  const states = [];
  const wire = new Wire(environment, {
    hello: () => told.push('hello'),
    take: (event) => told.push(event),
    lost: (ending) => told.push({ lost: { ...ending } }),
    turn: () => states.push(wire.state),
  });
  const connect = () => {
    wire.connect();
    sockets[sockets.length - 1].say(HELLO);
    return sockets[sockets.length - 1];
  };
  return { clock, sockets, told, states, wire, connect };
}

Deno.test('a reply comes to who asked, at its place among the events', () => {
  const { wire, told, connect } = setUp();
  const socket = connect();
  wire.send({ command: 'users' }, (reply) => told.push(reply?.type));
  const { ref } = socket.sent[0];
  socket.say({ type: 'presence' }, { type: 'users', users: [], ref }, { type: 'broadcast', id: 1 });
  assert.deepEqual(told, ['hello', { type: 'presence' }, 'users', { type: 'broadcast', id: 1 }]);
});

Deno.test('what is no event is dropped, and what follows it is not', () => {
  const { told, connect } = setUp();
  const socket = connect();
  socket.onmessage?.({ data: 'no json\n[]\n{"type":7}\nnull\n\n{"type":"presence"}\n' });
  socket.onmessage?.({ data: new Uint8Array([1]) });
  assert.deepEqual(told, ['hello', { type: 'presence' }]);
});

Deno.test('a loss ends what was asked, and the pauses grow up to half a minute', () => {
  const { wire, told, sockets, clock, connect } = setUp();
  const socket = connect();
  wire.send({ command: 'users' }, (reply) => told.push(reply));
  socket.end();
  assert.deepEqual(told.slice(1), [null, { lost: { reason: '', code: '' } }]);
  const pauses = [];
  for (let tries = 0; tries < 7; tries++) {
    pauses.push(wire.retryAt - clock.now());
    clock.pass(wire.retryAt - clock.now());
    sockets[sockets.length - 1].end();
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

Deno.test('each state is told, once', () => {
  const { wire, clock, states, connect } = setUp();
  connect().end();
  clock.pass(1000);
  wire.stop();
  assert.deepEqual(states, ['connecting', 'online', 'waiting', 'connecting', 'waiting', 'idle']);
});

Deno.test('only a login begins the pauses anew', () => {
  const { wire, clock, connect, sockets } = setUp();
  connect().end();
  clock.pass(1000);
  sockets[1].say(HELLO);
  sockets[1].end();
  assert.equal(wire.retryAt - clock.now(), 2000);
  clock.pass(2000);
  sockets[2].say(HELLO);
  wire.settle();
  sockets[2].end();
  assert.equal(wire.retryAt - clock.now(), 1000);
});

Deno.test('a pause is shortened at random, so that not all come at once', () => {
  const { wire, clock, connect } = setUp();
  wire.environment.random = () => 0;
  connect().end();
  assert.equal(wire.retryAt - clock.now(), 500);
});

Deno.test('where the network is back it tries at once', () => {
  const { wire, sockets, connect } = setUp();
  connect().end();
  wire.nudge();
  assert.equal(sockets.length, 2);
  wire.nudge(); // it is about to
  assert.equal(sockets.length, 2);
});

Deno.test('silence is asked about, and no answer is a loss', () => {
  const { wire, told, sockets, clock, connect } = setUp();
  const socket = connect();
  clock.pass(SILENCE - 1);
  assert.equal(socket.sent.length, 0);
  clock.pass(1);
  assert.equal(socket.sent[0].command, 'ping');
  clock.pass(PATIENCE - 1);
  assert.equal(wire.state, 'online');
  clock.pass(1);
  assert.ok(socket.isClosed);
  assert.deepEqual(told.at(-1), { lost: { reason: '', code: '' } });
  clock.pass(1000);
  assert.equal(sockets.length, 2);
});

Deno.test('any line is a sign of life', () => {
  const { wire, clock, connect } = setUp();
  const socket = connect();
  for (let turn = 0; turn < 10; turn++) {
    clock.pass(SILENCE + PATIENCE - 1);
    socket.say({ type: 'presence' });
  }
  assert.equal(wire.state, 'online');
});

Deno.test('a socket that only seems open is found out soon after the browser says that something has changed', () => {
  const { wire, clock, connect } = setUp();
  const socket = connect();
  wire.nudge();
  clock.pass(SHORT_PATIENCE - 1);
  assert.equal(wire.state, 'online');
  clock.pass(1);
  assert.equal(wire.state, 'waiting');
  socket.say({ type: 'presence' }); // what comes of it later is nobody's
  socket.end();
  assert.equal(wire.state, 'waiting');
});

Deno.test('a service that does not greet is given up', () => {
  const { wire, clock } = setUp();
  wire.connect();
  clock.pass(CONNECTING - 1);
  assert.equal(wire.state, 'connecting');
  clock.pass(1);
  assert.equal(wire.state, 'waiting');
});

Deno.test('the reason of an end is told: that of bye, and the fatal error before it', () => {
  const { told, connect } = setUp();
  const socket = connect();
  socket.say({ type: 'error', code: 'too_many_connections', fatal: true }, { type: 'bye', reason: 'kicked' });
  assert.deepEqual(told.at(-1), { lost: { reason: 'kicked', code: 'too_many_connections' } });
  assert.ok(socket.isClosed);
});

Deno.test('nothing is sent that the hello of this connection does not name', () => {
  const { wire, sockets, clock } = setUp();
  wire.connect();
  sockets[0].say({ ...HELLO, features: [] });
  /** @type {any[]} */
  const replies = [];
  wire.send({ command: 'pm', room: 'ops', message: 'secret' }, (reply) => replies.push(reply));
  wire.send({ command: 'delete', id: 1 }, (reply) => replies.push(reply));
  assert.deepEqual(sockets[0].sent, []);
  assert.deepEqual(replies.map((reply) => reply.code), ['unknown_command', 'unknown_command']);
  sockets[0].end();
  clock.pass(1000);
  sockets[1].say(HELLO);
  wire.send({ command: 'pm', room: 'ops', message: 'secret' });
  assert.equal(sockets[1].sent.length, 1);
});

Deno.test('after a stop nothing comes back, until it is asked for', () => {
  const { wire, sockets, clock, connect } = setUp();
  connect();
  wire.stop();
  clock.pass(1_000_000);
  assert.equal(sockets.length, 1);
  assert.equal(wire.state, 'idle');
  assert.equal(clock.timers.size, 0);
  wire.connect();
  assert.equal(sockets.length, 2);
});

Deno.test('without a connection a command is answered by nothing', () => {
  const { wire } = setUp();
  /** @type {any[]} */
  const replies = [];
  wire.send({ command: 'users' }, (reply) => replies.push(reply));
  assert.deepEqual(replies, [null]);
});

Deno.test('a clock that is set back does not keep it from finding out that the connection is dead', () => {
  const { wire, sockets, clock, connect } = setUp();
  const socket = connect();
  clock.time -= 3600_000;
  for (const timer of clock.timers.values()) timer.at -= 3600_000; // a browser's timers do not go by that clock
  clock.pass(2 * SILENCE + PATIENCE);
  assert.deepEqual([socket.sent.at(-1)?.command, socket.isClosed], ['ping', true]);
  assert.notEqual(wire.state, 'online');
  assert.equal(sockets.length, 1);
});

Deno.test('half a character is sent as a sign for one: the service could not read the line', () => {
  const { wire, connect } = setUp();
  const socket = connect();
  wire.send({ command: 'pm', message: 'a\ud83d b\ude00 \u{1F600} \\ud83d' });
  assert.equal(socket.sent[0].message, 'a\ufffd b\ufffd \u{1F600} \\ud83d');
});

Deno.test('an event that nobody can take does not cost those behind it', () => {
  const { wire, told, connect } = setUp();
  const socket = connect();
  /** @type {string[]} */
  const reported = [];
  const report = (/** @type {ErrorEvent} */ event) => (event.preventDefault(), reported.push(event.message));
  addEventListener('error', report);
  wire.send({ command: 'users' }, () => {
    throw new Error('strange');
  });
  socket.say({ type: 'users', ref: socket.sent[0].ref }, { type: 'presence' });
  removeEventListener('error', report);
  assert.deepEqual(told, ['hello', { type: 'presence' }]);
  assert.match(reported.join(), /strange/);
});
