/** The keys of `fleetgate.yaml` about who administers API users, and about API users outside the policy files. */

import { durationMs, mapping, text, textList } from '../lib/shape.ts'
import {
  choice,
  credential,
  duration,
  key,
  safeUrl,
  section,
  toggle,
  type Surroundings,
} from './keys.ts'

/** Where the provider sends people back to. */
export const callbackPath = '/sign-in/callback'

export function operators(around: Surroundings) {
  const groups = (role: string) =>
    key(textList().optional(), 'list of words', `Values of role_claim that make ${role}.`)
  return section('Who administers API users.', {
    session: duration('8h', 'How long a sign-in by OpenID Connect lasts.'),
    oidc: mapping({
      issuer: safeUrl('The provider, e.g. https://login.example.com.'),
      client_id: key(text(), 'word', 'As the provider knows the gate.'),
      client_secret: credential(around)
        .optional()
        .describe('The secret that the provider gave the gate; absent: a public client.'),
      redirect_uri: safeUrl(
        `This admin port as people reach it, with ${callbackPath} at the end.`,
      ).refine((uri) => uri.endsWith(callbackPath), `must end in ${callbackPath}`),
      scopes: key(
        textList().prefault(['openid', 'profile', 'email']),
        'list of words',
        'What is asked for.',
      ),
      name_claim: key(text().prefault('email'), 'word', 'Claim that is the operator’s name.'),
      claims_from: choice(
        ['id_token', 'userinfo'],
        'id_token',
        'Where the claims are: in the ID token alone, or what that lacks at the provider’s userinfo endpoint.',
      ),
      role_claim: key(text().prefault('groups'), 'word', 'Claim that says which role.'),
      viewer: groups('a viewer'),
      editor: groups('an editor'),
      owner: groups('an owner'),
    })
      .refine(
        ({ viewer, editor, owner }) => (viewer ?? editor ?? owner) !== undefined,
        'lets nobody sign in: name values of role_claim under "viewer", "editor" or "owner"',
      )
      .optional()
      .meta({ description: 'Sign-in by OpenID Connect, beside operators’ own tokens.' }),
  })
}

export function apiUsers() {
  return section('API users that do not live in the policy files.', {
    outside_git: toggle(true, 'Operators may create API users; false: only the policy files do.'),
    team_api: mapping({
      never: toggle(false, 'They never end.'),
      lifetime: key(
        durationMs().optional(),
        'duration',
        'They end so long after their token’s issue.',
      ),
      idle: key(durationMs().optional(), 'duration', 'They end after so long without use.'),
    })
      .refine(
        ({ never, lifetime, idle }) => never === (lifetime === undefined && idle === undefined),
        'must say one end: never: true, or lifetime, idle or both',
      )
      .optional()
      .meta({
        description:
          'What end API users get that are made by the cloud’s own team API; absent: that API makes none.',
      }),
  })
}
