"""A real Kubernetes control plane on loopback: etcd, API server, RBAC, audit log; no nodes.

    def test_something(control_plane, namespace):             # fixtures of tests/integration/operator
        user = control_plane.user(namespace, "operator", [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
        ])                                                    # cluster_rules=[…] for those of a ClusterRole
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest)      # as the administrator
        control_plane.kubectl("get", "cm", kubeconfig=user.kubeconfig, check=False)     # as the user
        control_plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")      # JSON, a hundredth of the time
        verbs = Counter(record["verb"] for record in control_plane.audit(user.name))
        user.login(seconds=-1)                                # its token has expired; `user.token` is the file

    def test_fault(own_control_plane):
        plane = own_control_plane()                           # controller_manager=True: CronJobs, namespace deletion
        plane.kill_api_server(); plane.start_api_server()     # the same port
        plane.restart_api_server()
        plane.compact()                                       # older resourceVersions answer 410

The run's control plane is shared: it serves all tests of all workers at once, so a test stays in its `namespace`, and
`audit()` is read by user. `crd_installed` is the same with deploy/operator in force; one's own gets it by
`manifests.install(plane)`.
"""
