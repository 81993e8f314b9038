import { describe, expect, it } from 'vitest'
import { configReference, configSchema } from '../../../src/config/reference.ts'

describe('configReference', () => {
  it('gives each key its type, default and one line', () => {
    const page = configReference()
    expect(page).toContain('| `url` | URL | required |')
    expect(page).toContain('| `headers` | duration, at most 24d | `10s` |')
    expect(page).toContain('| `credentials.products` |')
    expect(page).toContain('| `allow_mass_revocation` | true or false | `false` |')
  })

  it('leaves no key undocumented', () => {
    const rows = configReference()
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    expect(rows.length).toBeGreaterThan(30)
    for (const row of rows) expect(row).toMatch(/^\| `[^`]+` \| [^|]+ \| [^|]* \| [^|]{10,} \|$/)
  })
})

describe('configSchema', () => {
  it('takes no unknown keys and shows editors the shape of a credential', () => {
    expect(configSchema()).toMatchObject({
      additionalProperties: false,
      required: ['upstream'],
      properties: {
        upstream: {
          properties: {
            credentials: {
              properties: { default: { properties: { env: {}, file: {} }, maxProperties: 1 } },
            },
          },
        },
        reload: { properties: { allow_mass_revocation: { type: 'boolean', enum: [true, false] } } },
      },
    })
  })
})
