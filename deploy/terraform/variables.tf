variable "project" {
  type        = string
  description = "Project that everything is made in."
}

variable "region" {
  type        = string
  description = "Region of buckets, key and jobs, such as europe-west1."
}

variable "release_image" {
  type        = string
  description = "Image of the Cloud Run jobs, by digest, as deploy/image/build prints it."
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.release_image))
    error_message = "release_image must be given by digest: name@sha256:..."
  }
}

variable "dataflow_image" {
  type        = string
  description = "Image of Dataflow's launchers and workers, by digest, as deploy/image/build prints it."
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.dataflow_image))
    error_message = "dataflow_image must be given by digest: name@sha256:..."
  }
}

variable "releases" {
  type = map(object({
    config    = string                # configs/live/emoji_weekly.yaml, in the image
    cron      = string                # 0 5 * * 2: on Tuesdays at five, in the time zone below
    every     = optional(string)      # day, week or month, as the config's period; none without one
    dataflow  = optional(bool, false) # on Dataflow; otherwise on one machine
    due_hours = optional(number, 72)  # after the end of a period, until its release has to be there
  }))
  description = "What is released when."
  default     = {}
  validation {
    condition     = alltrue([for one in values(var.releases) : contains(["day", "week", "month"], coalesce(one.every, "day"))])
    error_message = "every must be day, week or month, or left out."
  }
  validation {
    condition     = alltrue([for one in values(var.releases) : one.due_hours > 0])
    error_message = "due_hours must be positive."
  }
}

variable "time_zone" {
  type        = string
  description = "Time zone of the schedules. Periods are of UTC, so schedule after midnight UTC."
  default     = "Etc/UTC"
}

variable "machine" {
  type        = object({ cpu = string, memory = string })
  description = "Machine of the job that draws; for releases on one machine, see the README for its size."
  default     = { cpu = "4", memory = "16Gi" }
}

variable "dataflow" {
  type        = object({ machine_type = string, max_workers = number, bounding_ram = string })
  description = "Workers of Dataflow; see the README for what a size of input needs."
  default     = { machine_type = "n2-highmem-4", max_workers = 20, bounding_ram = "16GB" }
}

variable "staging_days" {
  type        = number
  description = "Days after which noisy values as drawn and temporary files are deleted."
  default     = 30
}

variable "public_readers" {
  type        = list(string)
  description = "Who reads what is published; allUsers for the whole world."
  default     = ["allUsers"]
}

variable "raw_writers" {
  type        = list(string)
  description = "Accounts that put telemetry into the raw bucket."
  default     = []
}

variable "notification_channels" {
  type        = list(string)
  description = "Who is told that a scheduled release failed: ids of monitoring channels."
  default     = []
}
