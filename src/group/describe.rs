//! What DescribeGroups and ListGroups show of a group.

use std::sync::Arc;

use bytes::Bytes;

use super::state::{Group, GroupState};

/// A group as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDescription {
    /// The state's name.
    pub state: GroupState,
    /// Empty when there was never a member.
    pub protocol_type: Arc<str>,
    /// Empty unless the group is stable.
    pub protocol_name: Arc<str>,
    /// The members, in the order of their ids.
    pub members: Vec<MemberDescription>,
}

impl GroupDescription {
    /// What is said about a group that does not exist.
    pub fn dead() -> Self {
        let empty: Arc<str> = Arc::from("");
        GroupDescription {
            state: GroupState::Dead,
            protocol_type: empty.clone(),
            protocol_name: empty,
            members: Vec::new(),
        }
    }
}

/// A member as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberDescription {
    /// Its member id.
    pub member_id: Arc<str>,
    /// Set for static members.
    pub instance_id: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address.
    pub client_host: Arc<str>,
    /// Its metadata for the chosen protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// What it was assigned; empty unless the group is stable.
    pub assignment: Bytes,
}

/// A group as ListGroups shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupListing {
    /// The group's id.
    pub group_id: Arc<str>,
    /// Empty when there was never a member.
    pub protocol_type: Arc<str>,
    /// The state.
    pub state: GroupState,
}

impl Group {
    /// The group as DescribeGroups shows it.
    pub fn describe(&self) -> GroupDescription {
        let is_stable = self.state == GroupState::Stable;
        let empty: Arc<str> = Arc::from("");
        let members = self.members.values().map(|member| MemberDescription {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if is_stable {
                self.chosen_metadata(&member.protocols)
            } else {
                Bytes::new()
            },
            assignment: if is_stable {
                member.assignment.clone()
            } else {
                Bytes::new()
            },
        });
        GroupDescription {
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| empty.clone()),
            protocol_name: self.protocol_name.clone().filter(|_| is_stable).unwrap_or(empty),
            members: members.collect(),
        }
    }

    /// The group as ListGroups shows it.
    pub fn list(&self) -> GroupListing {
        GroupListing {
            group_id: self.group_id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            state: self.state,
        }
    }
}
