import { describe, expect, it } from 'vitest'
import { attributesRead } from '../../../src/domain/attributes-read.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import { mustLoad } from '../../kit/policies.ts'

const grantOf = (devices: string, rules: string) => {
  const text = `
users:
  reader:
    owner: reader@acme.example
    product: 12345
    devices: ${devices}
    never: true
    rules: ${rules}
`
  const grant = mustLoad(text, particleCatalog()).set.users.get('reader')?.grant
  if (grant === undefined) throw new Error('no grant')
  return [...attributesRead(grant)].toSorted()
}

describe('attributesRead', () => {
  it('names what devices and rules of any effect hang on, however deep', () => {
    const rules = `
      - can: devices:get
        where: { $or: [{ online: true }, { $not: { $and: [{ development: true }] } }] }
      - cannot: devices:list
        where: { firmware_version: { $lt: 3 } }`
    expect(grantOf('{ groups: { $any: [site-7] } }', rules)).toEqual([
      'development',
      'firmware_version',
      'groups',
      'online',
    ])
  })

  it('names nothing where ids alone decide', () => {
    expect(grantOf('{ ids: [e00fce68636486bf97d48e1b] }', '[{ can: devices:get }]')).toEqual([])
  })
})
