// A back end that uses posthog-node: runs one act against a host and says on its last line what it sent and heard.
import { createHash, randomUUID } from 'node:crypto'
import { PostHog } from 'posthog-node'

const FLAGS = ['new-checkout', 'half', 'variants', 'by-plan', 'nobodys']
const asked = JSON.parse(process.argv[2])
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

if (asked.skew_seconds) turnTheClock(asked.skew_seconds * 1000)

function client(more = {}) {
  return new PostHog(asked.token, { host: asked.host, flushInterval: 200, ...asked.options, ...more })
}

async function everything() {
  const now = Date.now()
  const own = {}
  let step = 0
  const mine = (age = 0) => {
    const digest = createHash('sha256').update(`step-${step++}`).digest('hex')
    const uuid = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`
    const timestamp = new Date(now - age * 1000)
    own[uuid] = timestamp.toISOString()
    return { uuid, timestamp }
  }
  const posthog = client()
  const odd = { text: 'ü😀\u2028"\\', nan: NaN, nested: { deep: [1, null, true, { a: 1.5 }] } }
  posthog.capture({ event: 'order placed', distinctId: 'shopper-1', properties: { amount: 12.5, ...odd }, ...mine(90) })
  posthog.capture({
    event: 'plan chosen',
    distinctId: 'shopper-1',
    properties: { $set: { plan: 'pro' }, $set_once: { first_plan: 'pro' } },
    ...mine(60),
  })
  posthog.capture({ event: 'looked', distinctId: 'nobody', properties: { $process_person_profile: false }, ...mine(50) })
  posthog.capture({ event: 'team made', distinctId: 'shopper-1', groups: { company: 'acme' }, ...mine(40) })
  posthog.capture({ event: 'long ago', distinctId: 'shopper-2', ...mine(86400 * 40) })
  posthog.identify({
    distinctId: 'shopper-1',
    properties: { $set: { email: 'one@shop.test' }, $set_once: { born: '1990-01-01' }, $anon_distinct_id: 'visitor-1' },
  })
  posthog.setPersonProperties({ distinctId: 'shopper-1', properties: { seats: 3, gone: 1 }, propertiesOnce: { seats: 4 } })
  posthog.unsetPersonProperties({ distinctId: 'shopper-1', properties: ['gone'] })
  posthog.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { size: 40 }, distinctId: 'shopper-1' })
  posthog.alias({ distinctId: 'shopper-1', alias: 'shopper-1-anonymous' })
  posthog.capture({ event: '$ai_generation', distinctId: 'shopper-1', properties: { $ai_model: 'm' }, ...mine(26) })
  posthog.captureException(new TypeError('the card was declined'), 'shopper-1', { order: 7 })
  await posthog.captureImmediate({ event: 'at once', distinctId: 'shopper-1', ...mine(5) })
  const flags = {}
  for (const key of FLAGS) flags[key] = (await posthog.getFeatureFlag(key, 'shopper-1', { personProperties: { plan: 'pro' } })) ?? null
  const heard = {
    flags,
    all: await posthog.getAllFlags('shopper-2', { groups: { company: 'acme' } }),
    payload: (await posthog.getFeatureFlagPayload('variants', 'shopper-1')) ?? null,
  }
  await posthog.shutdown()
  const old = client({ historicalMigration: true })
  old.capture({ event: 'imported', distinctId: 'shopper-3', ...mine(86400 * 400) })
  await old.shutdown()
  return { own, heard }
}

async function localEvaluation() {
  const posthog = client({ personalApiKey: asked.personal_api_key, featureFlagsPollingInterval: 1000 })
  await posthog.waitForLocalEvaluationReady(10000)
  const local = {}
  for (const person of ['shopper-1', 'shopper-2', 'shopper-3', 'shopper-4']) {
    local[person] = {}
    for (const key of FLAGS) {
      const options = { personProperties: { plan: 'pro' }, onlyEvaluateLocally: true, sendFeatureFlagEvents: false }
      local[person][key] = (await posthog.getFeatureFlag(key, person, options)) ?? null
    }
  }
  const remote_config = (await posthog.getRemoteConfigPayload('settings')) ?? null
  await sleep(asked.stay_seconds ?? 0)
  await posthog.shutdown()
  return { own: {}, heard: { local, remote_config } }
}

async function burst() {
  const posthog = client()
  const own = {}
  const failed = []
  posthog.on('error', (error) => failed.push(String(error)))
  const pause = (asked.seconds ?? 0) / asked.count
  for (let number = 0; number < asked.count; number++) {
    const uuid = randomUUID()
    const timestamp = new Date()
    const properties = number % 2 ? { number, $ignore_sent_at: true } : { number }
    posthog.capture({ event: asked.name, distinctId: `shopper-${number % 7}`, uuid, timestamp, properties })
    own[uuid] = timestamp.toISOString()
    if (pause) await sleep(pause)
  }
  await posthog.shutdown(120000)
  return { own, heard: { failed } }
}

function turnTheClock(milliseconds) {
  // The whole process lives in another time: a machine whose clock is wrong.
  const Real = Date
  globalThis.Date = class extends Real {
    constructor(...given) {
      given.length ? super(...given) : super(Real.now() + milliseconds)
    }
    static now() {
      return Real.now() + milliseconds
    }
  }
}

const acts = { everything, local_evaluation: localEvaluation, burst }
console.log(JSON.stringify(await acts[asked.act]()))
