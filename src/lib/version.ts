/** The gate's own version: part of every revision. */

export const version = '0.1.0'
