// The records of the scenarios, and how a check is reported.
const assert = require('node:assert/strict')

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const ACKS = { 0: 0, 1: 1, all: -1 }
// An hour ago, so that no broker finds the timestamps too new or too old.
const BASE = Date.now() - 3_600_000
const LIMIT_MS = 60_000

const outcome = { failed: false }

/** Runs the steps and prints the outcome; a failure lets the scenario go on. */
async function check(name, steps) {
  try {
    await steps()
    console.log('ok', name)
  } catch (error) {
    outcome.failed = true
    console.log('FAIL', name, String(error).replace(/\s+/g, ' '))
    console.error(error)
  }
}

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

async function eventually(what, condition) {
  for (const deadline = Date.now() + LIMIT_MS; !(await condition()); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`not within ${LIMIT_MS} ms: ${what}`)
  }
}

async function expectError(type, steps) {
  const error = await steps().then(() => undefined, error => error)
  assert.ok(error, `no error where ${type} was expected`)
  // Errors of several topics or groups come wrapped.
  const types = [error.type, error.cause?.type, ...(error.errors ?? error.groups ?? []).map(one => (one.error ?? one).type)]
  assert.ok(types.includes(type), `expected ${type}: ${error}`)
}

/** Record number i of the scenarios, for one of so many partitions. */
function record(i, partitions) {
  return {
    key: Buffer.from(`key-${i}`),
    value: Buffer.from(`value-${i}-${'x'.repeat(200)}`),
    headers: { number: Buffer.from(`${i}`), bytes: Buffer.from([0, 0xff]) },
    timestamp: `${BASE + i * 1000}`,
    partition: i % partitions,
  }
}

const content = ({ key, value, headers }) => ({ key, value, headers: headers ?? {} })

/** Expects the records number 0 to count of a topic, in order per partition. */
function compare(found, partitions) {
  const next = Array(partitions).fill(0)
  for (const { partition, message } of found) {
    const offset = next[partition]++
    const sent = record(offset * partitions + partition, partitions)
    assert.equal(message.offset, `${offset}`)
    assert.deepEqual(content(message), content(sent))
    assert.equal(message.timestamp, sent.timestamp)
  }
}

module.exports = { ACKS, BASE, CODECS, check, compare, content, eventually, expectError, outcome, record }
