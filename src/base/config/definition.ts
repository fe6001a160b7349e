// What a config is: its type, default, valid values, documentation, and which of its values this version does not honour.
// In the spirit of Kafka's ConfigDef. The tables in `topic-configs.ts` and `broker-configs.ts` are made of these; flags,
// environment, the config file, CreateTopics, AlterConfigs, DescribeConfigs and the generated reference all read them.
//
// A value that would be accepted and then ignored is worse than an error, so a definition refuses what is not honoured.

export type ConfigType = 'boolean' | 'int' | 'long' | 'double' | 'string' | 'list' | 'enum'
export type ConfigValue = boolean | number | string | readonly string[]
export type Importance = 'high' | 'medium' | 'low'

/** As Kafka's update modes: fixed at start, changeable for one broker, or changeable for one broker or for all at once. */
export type DynamicMode = 'read-only' | 'per-broker' | 'cluster-wide'

export interface ConfigDefinition<T extends ConfigValue = ConfigValue> {
  readonly type: ConfigType
  readonly default: T
  /** The default as text, which may say more than the value (a 64-bit maximum does not fit a safe integer). */
  readonly defaultText: string
  readonly documentation: string
  readonly importance: Importance
  readonly dynamic: DynamicMode
  /** Inclusive bounds of a number. */
  readonly min: number | undefined
  readonly max: number | undefined
  /** The only values of an enum, and the only elements of a list that has them. */
  readonly values: readonly string[] | undefined
  /**
   * Why a valid value is refused by this version, or undefined when it is honoured. (A method, so that definitions of
   * every value type fit one table.)
   */
  refuse(value: T): string | undefined
  /** Broker configs that a topic config falls back to, most important first. */
  readonly synonyms: readonly ConfigSynonym[]
}

export interface ConfigSynonym {
  readonly name: string
  /** One unit of the synonym in units of the config, e.g. 3600000 from hours to milliseconds. */
  readonly scale: number
}

export type ConfigTable = Readonly<Record<string, AnyConfigDefinition>>

/** A definition whose value type is not known at the place of use. */
export type AnyConfigDefinition = ConfigDefinition<ConfigValue>

/** The parsed values of a whole table, by name. */
export type ConfigValues<Table extends ConfigTable> = {
  readonly [Name in keyof Table]: Table[Name] extends ConfigDefinition<infer T> ? T : never
}

interface Options<T extends ConfigValue> {
  readonly default: T
  readonly documentation: string
  readonly importance?: Importance
  readonly dynamic?: DynamicMode
  readonly refuse?: (value: T) => string | undefined
  readonly synonyms?: readonly (string | ConfigSynonym)[]
}

interface NumberOptions extends Options<number> {
  readonly min?: number
  readonly max?: number
}

const INT_MAX = 2 ** 31 - 1
const INT_MIN = -(2 ** 31)

/** Stands for every 64-bit value above the safe integers, Kafka's Long.MAX_VALUE among them. */
export const LONG_MAX = Number.MAX_SAFE_INTEGER
export const LONG_MAX_TEXT = '9223372036854775807'

export function booleanConfig(options: Options<boolean>): ConfigDefinition<boolean> {
  return { ...common(options), type: 'boolean', defaultText: String(options.default) }
}

export function intConfig(options: NumberOptions): ConfigDefinition<number> {
  const range = { min: options.min ?? INT_MIN, max: options.max ?? INT_MAX }
  return { ...common(options), ...range, type: 'int', defaultText: String(options.default) }
}

/** A 64-bit integer. Values beyond the safe integers are held as ±LONG_MAX; their text is kept as it was given. */
export function longConfig(options: NumberOptions): ConfigDefinition<number> {
  const range = { min: options.min, max: options.max }
  const defaultText = options.default === LONG_MAX ? LONG_MAX_TEXT : String(options.default)
  return { ...common(options), ...range, type: 'long', defaultText }
}

export function doubleConfig(options: NumberOptions): ConfigDefinition<number> {
  const range = { min: options.min, max: options.max }
  return { ...common(options), ...range, type: 'double', defaultText: String(options.default) }
}

export function stringConfig(options: Options<string>): ConfigDefinition<string> {
  return { ...common(options), type: 'string', defaultText: options.default }
}

/** A comma-separated list. */
export function listConfig(
  options: Options<readonly string[]> & { readonly values?: readonly string[] },
): ConfigDefinition<readonly string[]> {
  return {
    ...common(options),
    values: options.values,
    type: 'list',
    defaultText: options.default.join(','),
  }
}

/** One of a few words. */
export function enumConfig<const T extends string>(
  options: Options<NoInfer<T>> & { readonly values: readonly T[] },
): ConfigDefinition<T> {
  return {
    ...common<T>(options),
    values: options.values,
    type: 'enum',
    defaultText: options.default,
  }
}

/** Refuses every value but the default. */
export function onlyDefault<T extends ConfigValue>(
  defaultValue: NoInfer<T>,
  reason: string,
): (value: T) => string | undefined {
  const wanted = String(defaultValue)
  return (value) => (String(value) === wanted ? undefined : reason)
}

function common<T extends ConfigValue>(
  options: Options<T>,
): Omit<ConfigDefinition<T>, 'type' | 'defaultText'> {
  return {
    default: options.default,
    documentation: options.documentation,
    importance: options.importance ?? 'medium',
    dynamic: options.dynamic ?? 'read-only',
    min: undefined,
    max: undefined,
    values: undefined,
    refuse: options.refuse ?? (() => undefined),
    synonyms: (options.synonyms ?? []).map((synonym) =>
      typeof synonym === 'string' ? { name: synonym, scale: 1 } : synonym,
    ),
  }
}
