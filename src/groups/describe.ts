// Groups as ListGroups and DescribeGroups show them.

import type { ErrorCode } from '../protocol/error-codes.ts'
import type { ClassicGroup } from './classic-group.ts'
import { NO_BYTES } from './classic-member.ts'
import type { DescribeGroupsResponse, ListGroupsRequest, ListGroupsResponse } from './group-api.ts'

export type DescribedGroup = DescribeGroupsResponse['groups'][number]

const GROUP_TYPE = 'classic'

/** Empty filters let everything pass; they ignore case, as in Kafka. */
export function listed(
  groups: readonly ClassicGroup[],
  { statesFilter, typesFilter }: ListGroupsRequest,
): ListGroupsResponse['groups'] {
  const states = new Set(statesFilter.map((state) => state.toLowerCase()))
  const types = new Set(typesFilter.map((type) => type.toLowerCase()))
  if (types.size > 0 && !types.has(GROUP_TYPE)) return []
  return groups
    .filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
    .map(({ groupId, protocolType, state }) => ({
      groupId,
      protocolType: protocolType ?? '',
      groupState: state,
      groupType: GROUP_TYPE,
    }))
}

/** Undefined: there is no such group, or it can't be told; Kafka shows it as dead. */
export function describeGroup(
  groupId: string,
  group: ClassicGroup | undefined,
  outcome: { readonly errorCode: ErrorCode; readonly errorMessage?: string },
): DescribedGroup {
  const stable = group?.is('Stable') === true
  return {
    ...outcome,
    groupId,
    groupState: group?.state ?? (outcome.errorCode === 0 ? 'Dead' : ''),
    protocolType: group?.protocolType ?? '',
    // Before a generation is complete there is neither a protocol nor an assignment.
    protocolData: stable ? (group.protocolName ?? '') : '',
    members: [...(group?.members.values() ?? [])].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: stable ? member.metadata(group?.protocolName ?? null) : NO_BYTES,
      memberAssignment: stable ? member.assignment : NO_BYTES,
    })),
  }
}
