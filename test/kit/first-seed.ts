/** The number from which all that is random in the tests is drawn. */

export const firstSeed = Number(process.env['TEST_SEED'] ?? 1)
