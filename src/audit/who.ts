/** Who asked, under which grants, as it stands on decision records: written out once for a token and kept. */

import { whoOf, type WhoFields } from './records.ts'

export type Who = { of(fields: WhoFields): string }

type Kept = { fields: WhoFields; text: string }

/** @param max tokens kept; beyond it all are forgotten, which costs them one writing each */
export function createWho(max: number): Who {
  const kept = new Map<string, Kept>()
  return {
    of(fields) {
      // Whom the gate does not know there is nothing to keep of.
      if (fields.tokenId === undefined) return whoOf(fields)
      const known = kept.get(fields.tokenId)
      if (known !== undefined && same(known.fields, fields)) return known.text
      if (kept.size >= max) kept.clear()
      const { user, tokenId, revision, grant, issuedGrant } = fields
      const text = whoOf(fields)
      kept.set(tokenId, { fields: { user, tokenId, revision, grant, issuedGrant }, text })
      return text
    },
  }
}

function same(a: WhoFields, b: WhoFields): boolean {
  return (
    a.user === b.user &&
    a.tokenId === b.tokenId &&
    a.revision === b.revision &&
    a.grant === b.grant &&
    a.issuedGrant === b.issuedGrant
  )
}
