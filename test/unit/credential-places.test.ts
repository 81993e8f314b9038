import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { credentialMistakes, credentialsById } from '../../src/credential-places.ts'
import { createCredentials } from '../../src/upstream/credentials.ts'
import { particleCatalog } from '../kit/catalog.ts'

const catalog = particleCatalog()
const env = { ALL: 'all-powerful', ONE: 'of-one-place' }
const organization = '0123456789abcdef01234567'

function load(lines: string) {
  const text = `upstream:
  url: https://api.particle.io
  credentials:
    default: { env: ALL }
${lines}`
  const loaded = loadConfig(text, '/srv/fleetgate.yaml', env)
  if (!loaded.ok) throw new Error(loaded.mistakes.map(({ message }) => message).join())
  return loaded.config
}

describe('the places that credentials speak for', () => {
  it('are found by their canonical ids, however these were written', () => {
    const config = load(`    products: { 12345: { env: ONE } }
    organizations: { ${organization.toUpperCase()}: { env: ONE } }
`)
    expect(credentialMistakes(config, catalog)).toEqual([])
    const credentials = createCredentials(credentialsById(config.upstream.credentials, catalog))
    const used = (place: object) => credentials.for({ type: 'product', ...place }).reveal()
    expect(used({ product: '12345' })).toBe('of-one-place')
    expect(used({ product: '77', organization })).toBe('of-one-place')
    expect(used({ product: '77' })).toBe('all-powerful')
  })

  it('are refused by a slug, at its place: another credential would be used without a word', () => {
    const config = load(`    products:
      thermostat-v1: { env: ONE }
      12345: { env: ONE }
    organizations: { acme: { env: ONE } }
`)
    const at = { file: '/srv/fleetgate.yaml' }
    expect(credentialMistakes(config, catalog)).toEqual([
      {
        ...{ ...at, line: 6, column: 7 },
        message: '"thermostat-v1" is no product id: slugs and names can be moved; write its id',
      },
      {
        ...{ ...at, line: 8, column: 22 },
        message: '"acme" is no organization id: slugs and names can be moved; write its id',
      },
    ])
  })

  it('are refused where two spellings are one place', () => {
    const upper = organization.toUpperCase()
    const both = `{ ${organization}: { env: ONE }, ${upper}: { env: ALL } }`
    const found = credentialMistakes(load(`    organizations: ${both}\n`), catalog)
    expect(found.map(({ message }) => message)).toEqual([`"${upper}" is named twice`])
  })
})
