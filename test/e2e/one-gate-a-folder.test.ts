// One gate writes an audit folder: a second is refused and told who holds it, and none is left locked by a gate that was killed.

import { expect, it } from 'vitest'
import { makeServedFolder } from '../kit/served-folder.ts'

const serving = /"message":"serving"/

it('refuses a second gate on an audit folder, and lets it in when the first was killed', async () => {
  using place = makeServedFolder('replica: first')
  place.configure('second.yaml', 'replica: second\nstore: second.sqlite\n')
  await using first = place.serve()
  const { pid } = JSON.parse(await first.logged(serving))
  expect(pid).toBeGreaterThan(1)

  const refused = await place.run('serve', '--config', 'second.yaml')
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.err).toMatch(
    /another gate is writing there: "first", process \d+ on \S+, since 20/,
  )
  expect(refused.err).toContain(`process ${pid} on`)
  expect(refused.err).toContain('Stop it first, or give this one an "audit.folder" of its own.')
  expect(new Set(place.records().map(({ stream }) => stream))).toEqual(new Set(['first']))

  // What the log says is the process that a reload is sent to.
  const reach = () => process.kill(Number(pid), 0)
  expect(reach()).toBe(true)
  first.signal('SIGKILL')
  await first.ended()
  expect(reach).toThrow('ESRCH')
  await using second = place.serve('--config', 'second.yaml')
  await second.logged(serving)
  const rows = place.records()
  expect(new Set(rows.map(({ stream }) => stream))).toEqual(new Set(['first', 'second']))
  const numbers = rows.map(({ seq }) => seq)
  expect(numbers).toEqual(numbers.map((_, n) => n + 1))
})

it('lets the next one in when the first has stopped, and one of two that start at once', async () => {
  using place = makeServedFolder()
  {
    await using first = place.serve()
    await first.logged(serving)
    first.signal('SIGTERM')
    expect(await first.ended()).toBe(0)
  }
  await using one = place.serve()
  await using other = place.serve()
  const outcome = (gate: typeof one) =>
    gate.logged(/"message":"serving"|another gate is writing there/)
  const said = await Promise.all([outcome(one), outcome(other)])
  expect(said.filter((line) => serving.test(line))).toHaveLength(1)
})
