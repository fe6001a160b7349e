// Message schemas as data. A schema is a tree of the nodes below; the types of the values it reads
// and writes are inferred from it, and `codec.ts` compiles it for one version. There is one value
// type for all versions of a message: a field that a version lacks has its default after decoding.
//
//   struct([field('name', string, { until: 12 }), field('errorMessage', nullable(string), { since: 8, default: null })])

export type ScalarKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'int64OrMax'
  | 'uint16'
  | 'uint32'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records'

export type TypeNode = ScalarNode | ArrayNode | StructNode | NullableNode
export interface ScalarNode {
  readonly kind: ScalarKind
}
export interface ArrayNode {
  readonly kind: 'array'
  readonly element: TypeNode
}
export interface StructNode {
  readonly kind: 'struct'
  readonly fields: readonly Field[]
}
export interface NullableNode {
  readonly kind: 'nullable'
  readonly inner: TypeNode
}

declare const shape: unique symbol
/** A node that reads values of type `Out` and writes values of type `In`. The second member exists only for the types. */
export type Type<Out, In = Out> = TypeNode & { readonly [shape]?: readonly [Out, In] }
export type Out<T> = T extends { readonly [shape]?: readonly [infer O, unknown] } ? O : never
export type In<T> = T extends { readonly [shape]?: readonly [unknown, infer I] } ? I : never

export interface FieldOptions<Value = unknown> {
  /** First version that has the field; all that the enclosing struct has, when absent. */
  readonly since?: number
  /** Last version that has the field. */
  readonly until?: number
  /** First version in which a `nullable` field may be null; all, when absent. */
  readonly nullableSince?: number
  /** Last version in which a `nullable` field may be null. */
  readonly nullableUntil?: number
  /** Value in versions without the field, and when a writer leaves it out. Otherwise 0, '', false, empty, zero UUID. */
  readonly default?: Value
  /** A non-default value is dropped silently in versions without the field, instead of being refused. */
  readonly ignorable?: boolean
  /** Number of a tagged field: written only when it differs from the default. */
  readonly tag?: number
  /** First version in which the field is tagged; all, when absent. */
  readonly taggedSince?: number
}

export interface Field<
  Name extends string = string,
  T extends TypeNode = TypeNode,
  Options extends FieldOptions = FieldOptions,
> {
  readonly name: Name
  readonly type: T
  readonly options: Options
}

/** A writer may leave out fields with a stated default and fields that not every version has. */
type Omittable<Options> = Options extends
  | { readonly default: unknown }
  | { readonly since: number }
  | { readonly until: number }
  | { readonly tag: number }
  ? true
  : false

type Flat<T> = { [K in keyof T]: T[K] }
type StructOut<F extends readonly Field[]> = {
  readonly [E in F[number] as E['name']]: Out<E['type']>
}
type StructIn<F extends readonly Field[]> = Flat<
  {
    readonly [E in F[number] as Omittable<E['options']> extends true ? never : E['name']]: In<
      E['type']
    >
  } & {
    readonly [E in F[number] as Omittable<E['options']> extends true ? E['name'] : never]?:
      | In<E['type']>
      | undefined
  }
>

export const bool: Type<boolean> = { kind: 'bool' }
export const int8: Type<number> = { kind: 'int8' }
export const int16: Type<number> = { kind: 'int16' }
export const int32: Type<number> = { kind: 'int32' }
/** A safe integer; anything beyond ±2⁵³ is refused. */
export const int64: Type<number> = { kind: 'int64' }
/** A safe integer, or `INT64_MAX` for Kafka's `Long.MAX_VALUE`. */
export const int64OrMax: Type<number> = { kind: 'int64OrMax' }
export const uint16: Type<number> = { kind: 'uint16' }
export const uint32: Type<number> = { kind: 'uint32' }
export const float64: Type<number> = { kind: 'float64' }
/** Kafka's text form: 22 characters of URL-safe base64. */
export const uuid: Type<string> = { kind: 'uuid' }
export const string: Type<string> = { kind: 'string' }
/** Read as a view of the message, not a copy. */
export const bytes: Type<Uint8Array> = { kind: 'bytes' }
/** Record batches: read as a view of the message, written by reference unless small. A list is written in a row. */
export const records: Type<Uint8Array, Uint8Array | readonly Uint8Array[]> = { kind: 'records' }

export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

export function array<T extends TypeNode>(element: T): Type<readonly Out<T>[], readonly In<T>[]> {
  return { kind: 'array', element }
}

export function nullable<T extends TypeNode>(inner: T): Type<Out<T> | null, In<T> | null> {
  return { kind: 'nullable', inner }
}

export function struct<const F extends readonly Field[]>(
  fields: F,
): Type<StructOut<F>, StructIn<F>> & StructNode {
  return { kind: 'struct', fields }
}

export function field<
  const Name extends string,
  T extends TypeNode,
  const Options extends FieldOptions<In<T>> = Record<never, never>,
>(name: Name, type: T, options?: Options): Field<Name, T, Options>
export function field(name: string, type: TypeNode, options: FieldOptions = {}): Field {
  return { name, type, options }
}
