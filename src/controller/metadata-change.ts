// What one committed batch changed, put together from its records and the images before and after it; or a snapshot, which has
// no records to tell.

import { unreachable } from '../base/assert.ts'
import type { MetadataChange, MetadataImage, TopicImage } from './metadata-image.ts'
import type { MetadataRecord } from './metadata-records.ts'

export function changeOf(
  before: MetadataImage,
  image: MetadataImage,
  records: readonly MetadataRecord[],
): MetadataChange {
  const touched = new Set<string>()
  let brokersChanged = false
  let drainingChanged = false
  let brokerConfigsChanged = false
  for (const record of records) {
    switch (record.type) {
      case 'topic':
        touched.add(record.id)
        break
      case 'partitions':
      case 'directories':
      case 'topicDeleted':
      case 'topicConfig':
        touched.add(record.topicId)
        break
      case 'broker':
        brokersChanged = true
        break
      case 'draining':
        drainingChanged = true
        break
      case 'brokerConfig':
        brokerConfigsChanged = true
        break
      case 'cluster':
      case 'producerIds':
      case 'feature':
        break
      default:
        unreachable(record)
    }
  }
  return {
    ...topicChanges(before, image, touched),
    brokersChanged,
    drainingChanged,
    brokerConfigsChanged,
  }
}

/** What may have changed between two images, of which the records are not known. */
export function changeBetween(before: MetadataImage, image: MetadataImage): MetadataChange {
  const ids = new Set([...before.topicsById.keys(), ...image.topicsById.keys()])
  return {
    ...topicChanges(before, image, ids),
    brokersChanged: true,
    drainingChanged: true,
    brokerConfigsChanged: true,
  }
}

function topicChanges(
  before: MetadataImage,
  image: MetadataImage,
  touched: ReadonlySet<string>,
): Pick<MetadataChange, 'before' | 'image' | 'topicsCreated' | 'topicsDeleted' | 'topicsChanged'> {
  const topicsCreated: TopicImage[] = []
  const topicsDeleted: TopicImage[] = []
  const topicsChanged: TopicImage[] = []
  for (const id of touched) {
    const old = before.topicsById.get(id)
    const now = image.topicsById.get(id)
    if (old === undefined && now !== undefined) topicsCreated.push(now)
    else if (old !== undefined && now === undefined) topicsDeleted.push(old)
    else if (old !== undefined && now !== undefined) topicsChanged.push(now)
  }
  return { before, image, topicsCreated, topicsDeleted, topicsChanged }
}
