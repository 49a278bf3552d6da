# The database, and the indexes that the record classes declare: indexes.json is written from them by
# `python -m local.firestore_indexes`. Nothing else is indexed.

locals {
  indexes = jsondecode(file("${path.module}/firestore/indexes.json"))

  composite = { for index in local.indexes.composite : join(",", concat([index.collection], [for field in index.fields : "${field.path} ${field.order}"])) => index }
  single    = { for field in local.indexes.single : "${field.collection},${field.path}" => field }
}

resource "google_firestore_database" "state" {
  name                              = "(default)"
  location_id                       = coalesce(var.firestore_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  point_in_time_recovery_enablement = var.point_in_time_recovery ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  # Protected, Google refuses; `ABANDON` would only lose it from the state, and the next apply would meet it as a stranger.
  deletion_policy = "DELETE"

  depends_on = [google_project_service.needed]
}

resource "google_firestore_index" "composite" {
  for_each = local.composite

  database    = google_firestore_database.state.name
  collection  = each.value.collection
  query_scope = "COLLECTION"

  # The document's name follows by itself, in the last field's direction.
  dynamic "fields" {
    for_each = each.value.fields

    content {
      field_path = fields.value.path
      order      = fields.value.order
    }
  }

  # Of a large collection it takes longer than the provider's twenty minutes.
  timeouts {
    create = "90m"
    delete = "90m"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The collection's default: no field is indexed by itself, so a payload costs no index entry.
resource "google_firestore_field" "unindexed" {
  for_each = toset(local.indexes.collections)

  database   = google_firestore_database.state.name
  collection = each.key
  field      = "*"

  index_config {}
}

# The few that a question asks for alone.
resource "google_firestore_field" "single" {
  for_each = local.single

  database   = google_firestore_database.state.name
  collection = each.value.collection
  field      = each.value.path

  index_config {
    dynamic "indexes" {
      for_each = each.value.orders

      content {
        order       = indexes.value
        query_scope = "COLLECTION"
      }
    }
  }

  dynamic "ttl_config" {
    for_each = each.value.expires ? [true] : []

    content {}
  }

  # Of a large collection it takes longer than the provider's twenty minutes.
  timeouts {
    create = "90m"
    update = "90m"
    delete = "90m"
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_firestore_field.unindexed]
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.backup_retention_days > 0 ? 1 : 0

  database  = google_firestore_database.state.name
  retention = "${var.backup_retention_days * 86400}s"

  daily_recurrence {}
}
