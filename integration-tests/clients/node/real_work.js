// Real work through kafkajs.
const assert = require('node:assert/strict')
const { ConfigResourceTypes, Kafka, logLevel, AssignerProtocol } = require('kafkajs')
const { ACKS, BASE, CODECS, check, compare, content, eventually, expectError, outcome, record } = require('./checks')
const codecs = require('./codecs')

const [bootstrap, scenario, prefix] = process.argv.slice(2)
const topic = `${prefix}-topic`
const groupId = `${prefix}-group`
// A request that is sent again after a timeout may meet what the first one has done. The broker's limit for an admin request ends
// before the client's own, so that its answer is awaited.
const adminTimeout = 60_000
const patience = { connectionTimeout: 20_000, requestTimeout: adminTimeout + 30_000, retry: { initialRetryTime: 50, retries: 8 } }
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, ...patience })

async function withAdmin(steps) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await steps(admin)
  } finally {
    await admin.disconnect()
  }
}

async function withProducer(options, steps) {
  const partitioner = () => ({ message }) => message.partition
  const producer = kafka.producer({ createPartitioner: partitioner, ...options })
  await producer.connect()
  try {
    return await steps(producer)
  } finally {
    await producer.disconnect()
  }
}

async function create(name, numPartitions, configs = {}) {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await withAdmin(async admin => {
    const topics = [{ topic: name, numPartitions, replicationFactor: 1, configEntries }]
    await admin.createTopics({ topics, timeout: adminTimeout })
    // A KRaft broker leads the partitions a little after the controller has answered; what is sent with acks=0 before
    // that is lost.
    const led = async () => (await admin.fetchTopicOffsets(name)).length === numPartitions
    await eventually('topic is there', () => led().catch(() => false))
  })
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

function produce(name, numbers, partitions, { idempotent = false, ...options } = {}) {
  const messages = numbers.map(i => record(i, partitions))
  return withProducer({ idempotent }, producer => producer.send({ topic: name, messages, ...options }))
}

/** A consumer that runs; `ready` tells when it owns partitions. */
async function member(name, { group = groupId, onMessage = () => {}, ...run } = {}) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10_000, heartbeatInterval: 500, maxWaitTimeInMs: 200 })
  const state = { consumer, owned: [], seen: new Set(), joins: 0 }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    state.joins++
    state.owned = payload.memberAssignment[name] ?? []
  })
  consumer.on(consumer.events.REBALANCING, () => { state.owned = [] })
  await consumer.connect()
  await consumer.subscribe({ topic: name, fromBeginning: true })
  await consumer.run({
    ...run,
    eachMessage: async one => {
      state.seen.add(`${one.partition}/${one.message.offset}`)
      await onMessage(one)
    },
  })
  return state
}

async function take(name, count, options = {}) {
  const found = []
  const one = await member(name, { ...options, onMessage: message => { if (found.length < count) found.push(message) } })
  try {
    await eventually(() => `${count} records`, () => found.length === count)
  } finally {
    await one.consumer.disconnect()
  }
  return found
}

const read = (name, count) => take(name, count, { group: `${name}-reader`, autoCommit: false })

async function allCodecs() {
  for (const codec of CODECS) {
    for (const [name, acks] of Object.entries(ACKS)) {
      await check(`codec/${codec}/acks=${name}`, async () => {
        const own = `${prefix}-${codec}-${name}`
        await create(own, 2)
        await produce(own, range(0, 60), 2, { acks, compression: codecs.TYPES[codec] })
        compare(await read(own, 60), 2)
      })
    }
  }
}

async function idempotent() {
  await check('idempotent', async () => {
    const own = `${prefix}-idempotent`
    await create(own, 3)
    await withProducer({ idempotent: true, maxInFlightRequests: 1 }, async producer => {
      for (let from = 0; from < 1000; from += 50) {
        await producer.send({ topic: own, messages: range(from, from + 50).map(i => record(i, 3)) })
      }
    })
    compare(await read(own, 1000), 3)
  })
}

async function edges() {
  await check('edges/absent-and-empty', async () => {
    await create(topic, 1)
    const sent = [
      { key: null, value: null, headers: {} },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { '': Buffer.alloc(0) } },
      { key: Buffer.from('schlüssel'), value: Buffer.alloc(1), headers: { twice: [Buffer.from('1'), Buffer.from('2')] } },
      { key: Buffer.from('big'), value: Buffer.alloc(900_000, 'y'), headers: {} },
    ]
    const messages = sent.map(one => ({ ...one, partition: 0 }))
    await withProducer({}, producer => producer.send({ topic, messages }))
    const found = await read(topic, sent.length)
    assert.deepEqual(found.map(one => content(one.message)), sent)
  })
  await check('edges/too-large', async () => {
    const small = `${prefix}-small`
    await create(small, 1, { 'max.message.bytes': '10000' })
    const messages = [{ value: Buffer.alloc(50_000), partition: 0 }]
    await withProducer({}, producer => expectError('MESSAGE_TOO_LARGE', () => producer.send({ topic: small, messages })))
  })
}

async function group() {
  await create(topic, 4)
  await produce(topic, range(0, 40), 4)
  const first = await member(topic)
  await check('group/alone', async () => {
    await eventually('one member owns all', () => first.owned.length === 4)
    await eventually('first records', () => first.seen.size === 40)
  })
  const second = await member(topic)
  await check('group/shared', () =>
    eventually('both own two', () =>
      first.owned.length === 2 && second.owned.length === 2 && new Set([...first.owned, ...second.owned]).size === 4))
  await check('group/all-records', async () => {
    await produce(topic, range(40, 80), 4)
    await eventually('all records seen', () => new Set([...first.seen, ...second.seen]).size === 80)
  })
  await second.consumer.disconnect()
  await check('group/takeover', () => eventually('the one that stayed owns all', () => first.owned.length === 4))
  await first.consumer.disconnect()
}

async function commitResume() {
  await create(topic, 1)
  await produce(topic, range(0, 100), 1)
  await check('commit-resume/commit', async () => {
    let taken = 0
    const one = await member(topic, { autoCommit: false, onMessage: () => { taken++ } })
    await eventually('half of the records', () => taken >= 50)
    await one.consumer.commitOffsets([{ topic, partition: 0, offset: '50', metadata: 'halfway' }])
    await one.consumer.disconnect()
  })
  await check('commit-resume/resume', async () => {
    const [committed] = await withAdmin(admin => admin.fetchOffsets({ groupId, topics: [topic] }))
    assert.deepEqual(committed.partitions, [{ partition: 0, offset: '50', metadata: 'halfway' }])
    const found = await take(topic, 50, { autoCommit: false })
    assert.deepEqual(found.map(one => one.message.offset), range(50, 100).map(String))
  })
}

async function byTime() {
  await create(topic, 1)
  await produce(topic, range(0, 100), 1)
  const lookup = (admin, timestamp) => admin.fetchTopicOffsetsByTimestamp(topic, timestamp).then(found => found[0].offset)
  await withAdmin(async admin => {
    await check('by-time/between', async () => assert.equal(await lookup(admin, BASE + 30_500), '31'))
    await check('by-time/before-first', async () => assert.equal(await lookup(admin, 1), '0'))
    // The wire says -1 here; this library then asks for the end.
    await check('by-time/after-last', async () => assert.equal(await lookup(admin, BASE + 99_001), '100'))
  })
}

async function config(admin, key) {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [key] }]
  const described = await admin.describeConfigs({ resources, includeSynonyms: false })
  return described.resources[0].configEntries[0].configValue
}

async function administration() {
  await withAdmin(async admin => {
    const grow = count => admin.createPartitions({ topicPartitions: [{ topic, count }], timeout: adminTimeout })
    const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions
    await check('admin/create', async () => {
      await create(topic, 3, { 'retention.ms': '123456' })
      assert.deepEqual((await partitions()).map(one => one.isr.length), [1, 1, 1])
      assert.ok((await admin.listTopics()).includes(topic))
    })
    await check('admin/refused', async () => {
      const again = { topics: [{ topic, numPartitions: 1 }], timeout: adminTimeout }
      assert.equal(await admin.createTopics(again), false, 'creates a topic that exists')
      await expectError('INVALID_TOPIC_EXCEPTION', () => create(`${prefix} with spaces`, 1))
      await expectError('INVALID_PARTITIONS', () => create(`${prefix}-none`, 0))
      await expectError('INVALID_CONFIG', () => create(`${prefix}-bad`, 1, { 'retention.ms': 'soon' }))
    })
    await check('admin/configs', async () => {
      assert.equal(await config(admin, 'retention.ms'), '123456')
      // This library knows only the older request, which sets all keys and takes the others back.
      const configEntries = [{ name: 'max.message.bytes', value: '54321' }]
      const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }]
      await admin.alterConfigs({ validateOnly: false, resources })
      await eventually('the change shows', async () => (await config(admin, 'max.message.bytes')) === '54321')
      assert.equal(await config(admin, 'retention.ms'), '604800000')
    })
    await check('admin/partitions', async () => {
      await grow(5)
      await eventually('five partitions', async () => (await partitions()).length === 5)
      await expectError('INVALID_PARTITIONS', () => grow(2))
    })
    const remove = () => admin.deleteTopics({ topics: [topic], timeout: adminTimeout })
    await check('admin/delete', async () => {
      await remove()
      await eventually('gone', async () => !(await admin.listTopics()).includes(topic))
      await expectError('UNKNOWN_TOPIC_OR_PARTITION', remove)
    })
    await check('admin/cluster', async () => {
      const cluster = await admin.describeCluster()
      assert.deepEqual(cluster.brokers.map(one => `${one.host}:${one.port}`), [bootstrap])
    })
  })
}

async function offsets() {
  await create(topic, 1)
  await produce(topic, range(0, 100), 1)
  await withAdmin(async admin => {
    const listed = async () => (await admin.fetchTopicOffsets(topic))[0]
    const before = offset => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] })
    await check('offsets/latest', async () =>
      assert.deepEqual(await listed(), { partition: 0, offset: '100', high: '100', low: '0' }))
    await check('offsets/delete-records', async () => {
      await before('40')
      assert.equal((await listed()).low, '40')
    })
  })
  await check('offsets/reset-to-earliest', async () => assert.equal((await read(topic, 60))[0].message.offset, '40'))
}

/** What `ask` gives once the coordinator is there: this library does not always ask again. */
async function answerOf(ask) {
  const notYet = ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP']
  let answer
  const isThere = () =>
    ask().then(
      found => { answer = found; return true },
      // What it has itself tried too often comes wrapped.
      error => { if (notYet.includes(error.type ?? error.cause?.type)) return false; throw error },
    )
  await eventually('the coordinator answers', isThere)
  return answer
}

async function groupsAdmin() {
  await create(topic, 1)
  await produce(topic, range(0, 10), 1)
  const one = await member(topic)
  await withAdmin(async admin => {
    const described = async () => (await answerOf(() => admin.describeGroups([groupId]))).groups[0]
    const listed = async () => (await answerOf(() => admin.listGroups())).groups.some(group => group.groupId === groupId)
    await check('groups-admin/stable', async () => {
      await eventually('stable', async () => (await described()).state === 'Stable')
      const { protocol, members } = await described()
      const { assignment } = AssignerProtocol.MemberAssignment.decode(members[0].memberAssignment)
      assert.deepEqual([protocol, members.length, assignment], ['RoundRobinAssigner', 1, { [topic]: [0] }])
      assert.ok(await listed(), 'listed')
    })
    await check('groups-admin/not-empty', () => expectError('NON_EMPTY_GROUP', () => admin.deleteGroups([groupId])))
    await eventually('all seen', () => one.seen.size === 10)
    await one.consumer.disconnect()
    await check('groups-admin/offsets', async () => {
      await eventually('empty', async () => (await described()).state === 'Empty')
      await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '3' }] })
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
      assert.equal(committed.partitions[0].offset, '3')
    })
    await check('groups-admin/delete', async () => {
      await admin.deleteGroups([groupId])
      assert.equal(await listed(), false, 'listed')
      await expectError('GROUP_ID_NOT_FOUND', () => admin.deleteGroups([groupId]))
    })
  })
}

const scenarios = {
  codecs: allCodecs,
  idempotent,
  edges,
  group,
  'commit-resume': commitResume,
  'by-time': byTime,
  admin: administration,
  offsets,
  'groups-admin': groupsAdmin,
}

codecs
  .install()
  .then(() => scenarios[scenario]())
  .then(
    () => process.exit(outcome.failed ? 1 : 0),
    error => {
      // Outside of any check: what was to be checked never ran.
      console.error(error)
      process.exit(1)
    },
  )
