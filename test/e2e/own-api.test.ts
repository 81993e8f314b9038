// Another API, other words, its own catalog: no line of the gate knows them.

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startOwnApi, type OwnApi } from '../../examples/own-api/own-api.ts'
import { traces } from '../kit/invariant.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const example = (path: string) =>
  fileURLToPath(new URL(`../../examples/own-api/${path}`, import.meta.url))

let api: OwnApi
let gate: TestGate

beforeAll(async () => {
  api = await startOwnApi({ port: 0 })
  gate = await startTestGate({
    upstream: api,
    policies: { 'people.yaml': await readFile(example('policies/people.yaml'), 'utf8') },
    config: `catalog: ${example('catalog.yaml')}`,
  })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await api.close()
})

/** One call, and what it left: the answer, what the API saw of it, and its record. */
async function call(user: string, method: string, path: string, body?: unknown) {
  const before = api.requests().length
  const answer = await fetch(gate.url + path, {
    method,
    headers: {
      authorization: `Bearer ${gate.tokens[user]}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const id = answer.headers.get('x-request-id')
  const { decisions } = await traces(gate)
  const text = await answer.text()
  const json: unknown = text === '' ? undefined : JSON.parse(text)
  return {
    status: answer.status,
    body: json,
    seen: api.requests().slice(before),
    records: decisions.filter((row) => row['request_id'] === id),
  }
}

describe('a gate in front of an API of another kind', () => {
  it('lets a caretaker switch the boiler of a flat, and nothing else', async () => {
    const allowed = await call(
      'pier-1-caretaker',
      'POST',
      '/sites/s-101/meters/em-0000a0/relays/boiler',
      {
        state: 'on',
      },
    )
    expect(allowed.status).toBe(200)
    expect(allowed.seen.at(-1)).toEqual({
      method: 'POST',
      target: '/sites/s-101/meters/em-0000a0/relays/boiler',
      authorization: `Bearer ${api.token}`,
    })
    expect(allowed.records).toMatchObject([{ decision: 'allow', actions: ['relays:switch'] }])

    const denied = await call(
      'pier-1-caretaker',
      'POST',
      '/sites/s-101/meters/em-0000a0/relays/main',
      {
        state: 'on',
      },
    )
    expect(denied.status).toBe(403)
    expect(denied.seen).toEqual([])
    expect(denied.records).toMatchObject([{ decision: 'deny', reason: 'not_granted' }])
  })

  it('keeps to the boundary in the words of that API', async () => {
    const own = await call('harbour-dashboard', 'GET', '/sites/s-101/meters')
    expect(own.status).toBe(200)
    expect(own.records).toMatchObject([{ decision: 'allow' }])

    const foreign = await call('pier-1-caretaker', 'GET', '/sites/s-201/meters/em-0000a8')
    expect(foreign.status).toBe(403)
    expect(foreign.seen).toEqual([])
    expect(foreign.records).toMatchObject([{ decision: 'deny', reason: 'outside_boundary' }])
  })

  it('cuts an answer to the keys that a rule names', async () => {
    const { status, body } = await call('pier-1-caretaker', 'GET', '/sites/s-101/meters/em-0000a0')
    expect(status).toBe(200)
    expect(Object.keys(body as object).toSorted()).toEqual(['connected', 'id', 'label', 'tags'])
  })
})
