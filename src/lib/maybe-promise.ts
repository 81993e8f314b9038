/** A value that is there at once where nothing has to be waited for, and later where it has. */

export type MaybePromise<T> = T | Promise<T>
