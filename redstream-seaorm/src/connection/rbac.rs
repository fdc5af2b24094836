//! SeaORM's role based access control: the inner connection authorises, the outer one tracks.

use sea_orm::rbac::{
    PermissionRequest, RbacEngine, RbacPermissionsByResources, RbacResourcesAndPermissions, RbacRoleHierarchyList,
    RbacRolesAndRanks, RbacUserId, RbacUserRolePermissions, ResourceRequest, entity::role::RoleId,
};
use sea_orm::{DbErr, RestrictedConnection, RestrictedTransaction, StatementBuilder};

use crate::connection::StreamedConnection;
use crate::connection::transaction::StreamedTransaction;

impl StreamedConnection {
    /// Loads the rules from this database, in place of those that were loaded before.
    ///
    /// # Errors
    ///
    /// If the rules cannot be read.
    pub async fn load_rbac(&self) -> Result<(), DbErr> {
        self.inner.load_rbac().await
    }

    /// Loads the rules from another database.
    ///
    /// # Errors
    ///
    /// If the rules cannot be read.
    pub async fn load_rbac_from(&self, db: &Self) -> Result<(), DbErr> {
        self.inner.load_rbac_from(&db.inner).await
    }

    /// Uses these rules.
    pub fn replace_rbac(&self, engine: RbacEngine) {
        self.inner.replace_rbac(engine);
    }

    /// A connection on which this user may do what the rules allow.
    ///
    /// # Errors
    ///
    /// If no rules are loaded.
    pub fn restricted_for(&self, user: RbacUserId) -> Result<StreamedConnection<RestrictedConnection>, DbErr> {
        Ok(StreamedConnection { inner: self.inner.restricted_for(user)?, shared: self.shared.clone() })
    }
}

macro_rules! common {
    ($wrapper:ident<$inner:ident>) => {
        impl $wrapper<$inner> {
            /// The user of this connection.
            pub fn user_id(&self) -> RbacUserId {
                self.inner.user_id()
            }

            /// Checks that the user may run this statement.
            ///
            /// # Errors
            ///
            /// If the user may not.
            pub fn user_can_run<S: StatementBuilder>(&self, stmt: &S) -> Result<(), DbErr> {
                self.inner.user_can_run(stmt)
            }

            /// Whether the user has this permission on this resource.
            ///
            /// # Errors
            ///
            /// As SeaORM's method of this name, which this calls.
            pub fn user_can<P, R>(&self, permission: P, resource: R) -> Result<bool, DbErr>
            where
                P: Into<PermissionRequest>,
                R: Into<ResourceRequest>,
            {
                self.inner.user_can(permission, resource)
            }
        }
    };
}

common!(StreamedConnection<RestrictedConnection>);
common!(StreamedTransaction<RestrictedTransaction>);

impl StreamedConnection<RestrictedConnection> {
    /// The user's role and its permissions, those of its child roles included.
    ///
    /// # Errors
    ///
    /// As SeaORM's method of this name, which this calls.
    pub fn current_user_role_permissions(&self) -> Result<RbacUserRolePermissions, DbErr> {
        self.inner.current_user_role_permissions()
    }

    /// All roles with their ranks: one more than their child roles.
    ///
    /// # Errors
    ///
    /// As SeaORM's method of this name, which this calls.
    pub fn roles_and_ranks(&self) -> Result<RbacRolesAndRanks, DbErr> {
        self.inner.roles_and_ranks()
    }

    /// All resources and permissions, without wildcards.
    ///
    /// # Errors
    ///
    /// As SeaORM's method of this name, which this calls.
    pub fn resources_and_permissions(&self) -> Result<RbacResourcesAndPermissions, DbErr> {
        self.inner.resources_and_permissions()
    }

    /// The edges of the tree of roles.
    ///
    /// # Errors
    ///
    /// As SeaORM's method of this name, which this calls.
    pub fn role_hierarchy_edges(&self, role: RoleId) -> Result<RbacRoleHierarchyList, DbErr> {
        self.inner.role_hierarchy_edges(role)
    }

    /// The role's permissions by resource, without those of its child roles.
    ///
    /// # Errors
    ///
    /// As SeaORM's method of this name, which this calls.
    pub fn role_permissions_by_resources(&self, role: RoleId) -> Result<RbacPermissionsByResources, DbErr> {
        self.inner.role_permissions_by_resources(role)
    }
}
