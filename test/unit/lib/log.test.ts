import { describe, expect, it } from 'vitest'
import { createLog } from '../../../src/lib/log.ts'
import { Secret } from '../../../src/lib/secret.ts'

function logged(call: (log: ReturnType<typeof createLog>) => void): {
  line: string
  value: unknown
} {
  const lines: string[] = []
  call(createLog({ write: (line) => lines.push(line), clock: { now: () => Date.UTC(2026, 0, 2) } }))
  expect(lines).toHaveLength(1)
  const [line = ''] = lines
  return { line, value: JSON.parse(line) }
}

describe('createLog', () => {
  it('writes one JSON line with level, time, message and fields', () => {
    const { line, value } = logged((log) =>
      log.warn('policy reload failed', { file: 'a.yaml', mistakes: 3 }),
    )
    expect(line.endsWith('}\n')).toBe(true)
    expect(value).toEqual({
      level: 'warn',
      at: '2026-01-02T00:00:00.000Z',
      message: 'policy reload failed',
      file: 'a.yaml',
      mistakes: 3,
    })
  })

  it('T12 prints secrets as [secret], at any depth', () => {
    const { line } = logged((log) =>
      log.info('x', { token: new Secret('hush'), deep: [{ t: new Secret('hush') }] }),
    )
    expect(line).not.toContain('hush')
    expect(line).toContain('[secret]')
  })

  it('A05 keeps one line whatever is in it', () => {
    const { line, value } = logged((log) =>
      log.error('a\nb\u2028\u009b', { path: '"}\n{"level":"info"}' }),
    )
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u2028\u009b]/)
    expect(value).toMatchObject({ message: 'a\nb\u2028\u009b', path: '"}\n{"level":"info"}' })
  })

  it('does not let a field pass for its own keys', () => {
    const { value } = logged((log) => log.info('x', { level: 'error', at: 'never' }))
    expect(value).toMatchObject({ level: 'info', field_level: 'error', field_at: 'never' })
  })

  it('names errors with their causes, and survives what JSON cannot hold', () => {
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    const error = new TypeError('outer', { cause: new Error('inner') })
    const { value } = logged((log) => log.error('x', { error, big: 1n, loop }))
    expect(value).toMatchObject({
      error: 'TypeError: outer (caused by Error: inner)',
      big: '[unprintable]',
      loop: '[unprintable]',
    })
  })
})
